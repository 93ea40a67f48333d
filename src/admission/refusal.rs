//! Why a request is not admitted.

use crate::domain::{Incoherent, Violation};
use crate::protocol::ResponseId;
use crate::refusal;
use crate::tokens::PromptError;

/// Why a request is not admitted. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A parameter can't be honoured.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// There is no such model.
    #[error("there is no such model")]
    UnknownModel {
        /// The name that the client gave.
        model: String,
    },
    /// The response to go on from has not ended.
    #[error("the response to go on from has not ended")]
    PreviousRunning {
        /// That response.
        id: ResponseId,
    },
    /// Calls and their answers don't match.
    #[error(transparent)]
    Incoherent(#[from] Incoherent),
    /// The prompt has no room in the model's context window.
    #[error("the prompt is too long for the model")]
    ContextTooLong {
        /// The prompt's tokens, where they could be counted.
        tokens: Option<u32>,
        /// The most that a prompt may have.
        budget: u32,
    },
    /// The tokenizer failed on the prompt.
    #[error("the prompt's tokens could not be counted")]
    Uncountable,
    /// The history has more items than are loaded, and the client did not allow to leave any out.
    #[error("the history has more than {most} items")]
    HistoryTooLong {
        /// The most that are loaded.
        most: usize,
    },
    /// The history could not be read.
    #[error("the history could not be read")]
    History(#[source] refusal::Refusal),
}

impl From<Refusal> for refusal::Refusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Violation(violation) => violation.into(),
            Refusal::UnknownModel { model } => Violation::unknown_model(&model).into(),
            Refusal::PreviousRunning { id } => Self::StillRunning(id),
            Refusal::Incoherent(incoherent) => Violation::from(incoherent).into(),
            Refusal::ContextTooLong { tokens, budget } => Violation::prompt_too_long(tokens, budget).into(),
            Refusal::Uncountable => {
                tracing::error!("a prompt's tokens could not be counted");
                Self::Internal
            }
            Refusal::HistoryTooLong { most } => Violation::history_too_long(most).into(),
            Refusal::History(refusal) => refusal,
        }
    }
}

impl From<PromptError> for Refusal {
    fn from(error: PromptError) -> Self {
        match error {
            PromptError::TooLong { tokens, limit } => Self::ContextTooLong { tokens, budget: limit },
            PromptError::Uncountable => Self::Uncountable,
        }
    }
}
