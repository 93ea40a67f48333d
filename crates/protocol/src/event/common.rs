//! What can be asked of every event, whatever its type.

use super::{OtherEvent, ResponseEvent};
use crate::Response;

impl ResponseEvent {
    /// The event's number.
    #[must_use]
    pub fn sequence_number(&self) -> u64 {
        match self {
            Self::Created { sequence_number, .. }
            | Self::Queued { sequence_number, .. }
            | Self::InProgress { sequence_number, .. }
            | Self::Completed { sequence_number, .. }
            | Self::Incomplete { sequence_number, .. }
            | Self::Failed { sequence_number, .. }
            | Self::OutputItemAdded { sequence_number, .. }
            | Self::OutputItemDone { sequence_number, .. }
            | Self::ContentPartAdded { sequence_number, .. }
            | Self::ContentPartDone { sequence_number, .. }
            | Self::OutputTextDelta { sequence_number, .. }
            | Self::OutputTextDone { sequence_number, .. }
            | Self::RefusalDelta { sequence_number, .. }
            | Self::RefusalDone { sequence_number, .. }
            | Self::ReasoningTextDelta { sequence_number, .. }
            | Self::ReasoningTextDone { sequence_number, .. }
            | Self::AnnotationAdded { sequence_number, .. }
            | Self::ReasoningSummaryPartAdded { sequence_number, .. }
            | Self::ReasoningSummaryPartDone { sequence_number, .. }
            | Self::ReasoningSummaryTextDelta { sequence_number, .. }
            | Self::ReasoningSummaryTextDone { sequence_number, .. }
            | Self::FunctionCallArgumentsDelta { sequence_number, .. }
            | Self::FunctionCallArgumentsDone { sequence_number, .. }
            | Self::Other(OtherEvent { sequence_number, .. }) => *sequence_number,
        }
    }

    /// The event's type, the same word as in its JSON.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Created { .. } => "response.created",
            Self::Queued { .. } => "response.queued",
            Self::InProgress { .. } => "response.in_progress",
            Self::Completed { .. } => "response.completed",
            Self::Incomplete { .. } => "response.incomplete",
            Self::Failed { .. } => "response.failed",
            Self::OutputItemAdded { .. } => "response.output_item.added",
            Self::OutputItemDone { .. } => "response.output_item.done",
            Self::ContentPartAdded { .. } => "response.content_part.added",
            Self::ContentPartDone { .. } => "response.content_part.done",
            Self::OutputTextDelta { .. } => "response.output_text.delta",
            Self::OutputTextDone { .. } => "response.output_text.done",
            Self::AnnotationAdded { .. } => "response.output_text.annotation.added",
            Self::RefusalDelta { .. } => "response.refusal.delta",
            Self::RefusalDone { .. } => "response.refusal.done",
            Self::ReasoningTextDelta { .. } => "response.reasoning_text.delta",
            Self::ReasoningTextDone { .. } => "response.reasoning_text.done",
            Self::FunctionCallArgumentsDelta { .. } => "response.function_call_arguments.delta",
            Self::ReasoningSummaryPartAdded { .. } => "response.reasoning_summary_part.added",
            Self::ReasoningSummaryPartDone { .. } => "response.reasoning_summary_part.done",
            Self::ReasoningSummaryTextDelta { .. } => "response.reasoning_summary_text.delta",
            Self::ReasoningSummaryTextDone { .. } => "response.reasoning_summary_text.done",
            Self::FunctionCallArgumentsDone { .. } => "response.function_call_arguments.done",
            Self::Other(event) => &event.kind,
        }
    }

    /// Whether no event follows.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Incomplete { .. } | Self::Failed { .. })
    }

    /// The response that a lifecycle event carries.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        if let Self::Created { response, .. }
        | Self::Queued { response, .. }
        | Self::InProgress { response, .. }
        | Self::Completed { response, .. }
        | Self::Incomplete { response, .. }
        | Self::Failed { response, .. } = self
        {
            Some(response)
        } else {
            None
        }
    }

    /// The text that a delta event carries.
    #[must_use]
    pub fn delta(&self) -> Option<&str> {
        if let Self::OutputTextDelta { delta, .. }
        | Self::RefusalDelta { delta, .. }
        | Self::ReasoningTextDelta { delta, .. }
        | Self::ReasoningSummaryTextDelta { delta, .. }
        | Self::FunctionCallArgumentsDelta { delta, .. } = self
        {
            Some(delta)
        } else {
            None
        }
    }
}
