//! What a provider said of a request that it refused.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Cause;

/// The longest message that is kept, in characters.
const LONGEST_MESSAGE: usize = 1_000;

/// The longest name of a parameter, or code, that is kept, in characters.
const LONGEST_NAME: usize = 200;

/// The code of a rejection whose provider told none: OpenAI's for a request that can't be run as it is.
const WITHOUT_CODE: &str = "invalid_prompt";

/// A provider's own words about a request that is at fault. They are content: they may quote the request, so they are
/// stored encrypted and stand in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderRejection {
    /// The HTTP status that the provider answered with, or the one that its error names.
    pub status: u16,
    /// Its message for people.
    pub message: Option<String>,
    /// The parameter at fault, as the provider calls it.
    pub param: Option<String>,
    /// The provider's code.
    pub code: Option<String>,
}

impl ProviderRejection {
    /// A rejection of which only the status is known.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        Self { status, message: None, param: None, code: None }
    }

    /// The same, with each text as `change` makes it. What is empty then counts as not told.
    #[must_use]
    pub fn map(self, change: impl Fn(&str) -> String) -> Self {
        let change = |text: Option<String>| text.map(|text| change(&text)).filter(|text| !text.is_empty());
        Self { status: self.status, message: change(self.message), param: change(self.param), code: change(self.code) }
    }

    /// The same without control characters, and no longer than what is kept.
    #[must_use]
    pub fn bounded(self) -> Self {
        let Self { status, message, param, code } = self.map(|text| without_controls(text).trim().to_owned());
        let cut = |text: Option<String>, longest| text.map(|text: String| text.chars().take(longest).collect());
        Self {
            status,
            message: cut(message, LONGEST_MESSAGE),
            param: cut(param, LONGEST_NAME),
            code: cut(code, LONGEST_NAME),
        }
    }

    /// The code that a response has which failed so.
    pub(crate) fn code_for(&self, cause: Cause) -> String {
        let is_precise = cause != Cause::ProviderRejected;
        let code = if is_precise { Some(cause.code()) } else { self.code.as_deref() };
        code.unwrap_or(WITHOUT_CODE).to_owned()
    }
}

/// White space of every kind becomes a space, other control characters are left out.
#[must_use]
pub fn without_controls(text: &str) -> String {
    let kept = |char: char| match char {
        char if !char.is_control() => Some(char),
        char if char.is_whitespace() => Some(' '),
        _ => None,
    };
    text.chars().filter_map(kept).collect()
}

impl fmt::Debug for ProviderRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderRejection").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character_and_have_no_control_characters() {
        let rejection = ProviderRejection {
            message: Some(format!("\n\u{1b}[31mfirst\u{0}\tsecond\u{85}{}", "\u{1f980}".repeat(2_000))),
            param: Some("p".repeat(300)),
            code: Some("\u{7}\n".into()),
            ..ProviderRejection::of_status(400)
        };
        let bounded = rejection.bounded();
        let message = bounded.message.as_deref().unwrap_or_default();
        assert!(message.starts_with("[31mfirst second \u{1f980}"), "{message}");
        assert_eq!(message.chars().count(), 1_000);
        assert_eq!(bounded.param.map(|param| param.len()), Some(200));
        assert_eq!(bounded.code, None, "nothing is left of it");
    }

    #[test]
    fn nothing_of_the_text_is_printed() {
        let rejection = ProviderRejection {
            message: Some("canary".into()),
            param: Some("canary".into()),
            code: Some("canary".into()),
            ..ProviderRejection::of_status(400)
        };
        assert_eq!(format!("{rejection:?}"), "ProviderRejection { status: 400, .. }");
    }
}
