//! What is true of a response, as plain synchronous functions.
//!
//! Nothing here does IO, reads a clock or the environment, or knows an actor. Imports `protocol` only.

mod allowance;
mod background;
mod backoff;
mod breaker;
mod cause;
mod context;
mod fact;
mod finish;
mod idempotency;
mod jitter;
pub mod json_text;
mod model;
pub mod options;
mod ownership;
mod prompt;
mod provider_event;
mod provider_rejection;
mod recovery_queue;
mod request;
mod retry;
mod retry_budget;
mod run;
mod run_plan;
mod run_policy;
pub mod segment;
mod set_aside;
mod time;
mod timeouts;
mod transcript;
mod validation;
mod view;

pub use allowance::{AllowedOutput, OutputAllowance};
pub use background::BackgroundLine;
pub use breaker::{Admit, Breaker, BreakerPolicy, BreakerState, Permission};
pub use cause::Cause;
pub use context::{
    CallPairs, Incoherent, UNANSWERED_CALL, check_calls, close_calls, current_turn, newest_that_fit, output_room,
};
pub use fact::{Attempt, Fact, Limit};
pub use finish::FinishReason;
pub use idempotency::Idempotency;
pub use jitter::Jitter;
pub use model::{Fallback, Model, ModelCatalog};
pub use options::{DisconnectMode, GroupOptions, LimitOptions, ResponseOptions};
pub use ownership::{LeaseState, OwnerSeen, OwnershipDecision, RecoveryWish};
pub use prompt::{Prompt, PromptParts};
pub use provider_event::{CallIndex, InputUsage, ProviderEvent};
pub use provider_rejection::{ProviderRejection, without_controls};
pub use recovery_queue::{EndingForm, LeftBehind, NewlyFound, RecoveryQueue, RecoveryTry, TryUnanswered};
pub use request::Request;
pub use retry::{Attempts, Failure, FailureClass, Next, Reattach, RetryPolicy};
pub use retry_budget::{RetryBudget, RetryBudgetPolicy};
pub use run::{
    AdmissionFailure, AttemptKind, AttemptReport, ClientEvent, ClientId, ClientNeed, Disowned, LostCall, RecordedFact,
    Recovery, ResumedRun, RetryHint, Run, RunCommand, RunEffect, RunEvent, RunLimits, RunNote, RunPhase, RunProgress,
    RunSetup, RunTarget, SettleReason, SlotQueue, StoreEvent, Timer, ToolCallRequest, ToolOffer, ToolResult,
    UsageEstimates,
};
pub use run_plan::{DisconnectPolicy, Encoding, RunPlan, Target};
pub use run_policy::{RunPolicy, ToolAccess, ToolPolicy};
pub use set_aside::SetAsideReason;
pub use time::Timestamp;
pub use timeouts::Timeouts;
pub use transcript::{
    CallUsage, Ending, FOLD_VERSION, RecordedEnding, ServerCallState, ServerCalls, Transcript, UnreportedTurn, Verdict,
};
pub use validation::{Offence, RequestShape, ShapeError, ValidatedRequest, Violation, validate, validate_include};
pub use view::{Frame, View};
