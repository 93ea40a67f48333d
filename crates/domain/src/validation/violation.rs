//! What is wrong with a request.

use std::fmt;

use crate::context::Incoherent;

/// The longest name of a model that is quoted.
const LONGEST_MODEL: usize = 100;

/// The first thing that is wrong with a request. Its message may quote the request: it is for the client,
/// not for logs.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Violation {
    /// The parameter at fault, as a path: `input[2].content[0].text`.
    pub param: String,
    /// What kind of fault it is.
    pub offence: Offence,
    /// What is wrong, for people.
    pub message: String,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offence {
    /// A value that the parameter can't have.
    Invalid,
    /// A parameter that must be there is not.
    Missing,
    /// The value is one of the API, but this server can't honour it.
    Unsupported,
    /// It is larger than this server allows.
    TooLarge,
    /// The previous response does not exist.
    PreviousNotFound,
    /// There is no such model.
    UnknownModel,
    /// The prompt has no room in the model's context.
    ContextTooLong,
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Violation").field("param", &self.param).field("offence", &self.offence).finish_non_exhaustive()
    }
}

impl Violation {
    /// A value that the parameter can't have.
    #[must_use]
    pub fn invalid(param: impl Into<String>, why: impl fmt::Display) -> Self {
        let param = param.into();
        let message = format!("Invalid value for '{param}': {why}.");
        Self { param, offence: Offence::Invalid, message }
    }

    /// A parameter that must be there is not.
    #[must_use]
    pub fn missing(param: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("Missing required parameter: '{param}'.");
        Self { param, offence: Offence::Missing, message }
    }

    /// A value that this server can't honour.
    #[must_use]
    pub fn unsupported(param: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("This value of '{param}' is not supported by this server.");
        Self { param, offence: Offence::Unsupported, message }
    }

    /// Something larger than this server allows.
    #[must_use]
    pub fn too_large(param: impl Into<String>, limit: usize) -> Self {
        let param = param.into();
        let message = format!("'{param}' is too large: at most {limit} bytes are allowed.");
        Self { param, offence: Offence::TooLarge, message }
    }

    /// The previous response does not exist.
    #[must_use]
    pub fn previous_not_found(id: impl fmt::Display) -> Self {
        Self {
            param: "previous_response_id".to_owned(),
            offence: Offence::PreviousNotFound,
            message: format!("Previous response with id '{id}' not found."),
        }
    }

    /// There is no model of that name.
    #[must_use]
    pub fn unknown_model(name: &str) -> Self {
        let name: String = name.chars().take(LONGEST_MODEL).collect();
        Self {
            param: "model".to_owned(),
            offence: Offence::UnknownModel,
            message: format!("The requested model '{name}' does not exist."),
        }
    }

    /// The prompt has no room in the model's context. The number of its tokens is missing where they can't be counted.
    #[must_use]
    pub fn prompt_too_long(tokens: Option<u32>, budget: u32) -> Self {
        let tokens = tokens.map_or_else(|| "too many tokens".to_owned(), |tokens| format!("{tokens} tokens"));
        Self::context_too_long(format!(
            "The prompt has {tokens}, but the model's context window leaves room for {budget}."
        ))
    }

    /// The conversation has more items than are loaded.
    #[must_use]
    pub fn history_too_long(most: usize) -> Self {
        Self::context_too_long(format!(
            "The conversation has more than {most} items. Set 'truncation' to 'auto' to leave out the oldest."
        ))
    }

    fn context_too_long(message: String) -> Self {
        Self { param: "input".to_owned(), offence: Offence::ContextTooLong, message }
    }
}

impl From<Incoherent> for Violation {
    fn from(incoherent: Incoherent) -> Self {
        Self { param: "input".to_owned(), offence: Offence::Invalid, message: incoherent.to_string() }
    }
}
