//! What is true of a response, as plain synchronous functions.
//!
//! Nothing here does IO, reads a clock or the environment, or knows an actor. Imports `protocol` only.

mod allowance;
mod cause;
mod fact;
mod finish;
mod plan;
mod prompt;
mod request;
mod restart;
mod time;
mod transcript;
mod view;

pub use allowance::OutputAllowance;
pub use cause::Cause;
pub use fact::{Attempt, CallIndex, Fact, Limit};
pub use finish::FinishReason;
pub use plan::{DisconnectPolicy, Encoding, Plan};
pub use prompt::Prompt;
pub use request::Request;
pub use restart::{Restart, RestartBudget};
pub use time::Timestamp;
pub use transcript::{Ending, FOLD_VERSION, Transcript, Verdict};
pub use view::{Frame, View};
