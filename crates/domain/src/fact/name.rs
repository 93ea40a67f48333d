//! Facts have names, and no other form that may be printed.

use super::Fact;

impl Fact {
    /// The fact's name, for logs: facts carry content and have no other printable form.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::AttemptOpening { .. } => "attempt_opening",
            Self::AttemptOpened { .. } => "attempt_opened",
            Self::TextArrived { .. } => "text_arrived",
            Self::ReasoningArrived { .. } => "reasoning_arrived",
            Self::RefusalArrived { .. } => "refusal_arrived",
            Self::CallStarted { .. } => "call_started",
            Self::ArgumentsArrived { .. } => "arguments_arrived",
            Self::ToolStarted { .. } => "tool_started",
            Self::ToolAnswered { .. } => "tool_answered",
            Self::ToolFailed { .. } => "tool_failed",
            Self::UsageReported { .. } => "usage_reported",
            Self::ProviderFinished { .. } => "provider_finished",
            Self::ProviderFailed { .. } => "provider_failed",
            Self::LimitReached { .. } => "limit_reached",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::ClientLost { .. } => "client_lost",
            Self::NodeLost { .. } => "node_lost",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::ServerFailed { .. } => "server_failed",
            Self::Ended { .. } => "ended",
            Self::Accepted { .. } => "accepted",
            Self::ScoredTextArrived { .. } => "scored_text_arrived",
            Self::AnnotationArrived { .. } => "annotation_arrived",
            Self::SummaryArrived { .. } => "summary_arrived",
            Self::ReasoningSealed { .. } => "reasoning_sealed",
            Self::PartFinished { .. } => "part_finished",
            Self::SpeechFinished { .. } => "speech_finished",
            Self::CallFinished { .. } => "call_finished",
            Self::OtherStarted { .. } => "other_started",
            Self::OtherReported { .. } => "other_reported",
            Self::OtherFinished { .. } => "other_finished",
            Self::RunPolicySet { .. } => "run_policy_set",
            Self::DeadlineSet { .. } => "deadline_set",
        }
    }
}

impl std::fmt::Debug for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
