//! The reason to finish, which is not always the last word.

use crate::Error;
use crate::finish::{check_empty, finish_reason};
use antiphon_domain::FinishReason;
use antiphon_protocol::Usage;

/// What the provider has said of the end of its answer so far. Some servers send words and calls behind the reason to
/// finish, and some send the reason with every chunk, so it counts only once the answer is over.
#[derive(Default)]
pub(crate) struct AnswerEnding {
    reason: Option<Result<FinishReason, Error>>,
    /// Whether there was output.
    has_output: bool,
    /// Whether there was output after the reason.
    is_outdated: bool,
    /// Whether there was output after any reason: what this provider says of its end is not to be relied on.
    is_unreliable: bool,
    /// Whether there was a part in a form that is known.
    is_known_form: bool,
    /// Whether there was a part in a form that is not known.
    is_unknown_form: bool,
}

impl AnswerEnding {
    /// Notes a part in a known form.
    pub(crate) fn note_form(&mut self) {
        self.is_known_form = true;
    }

    /// Notes a part in a form that is not known: nobody can tell whether it was output.
    pub(crate) fn note_unknown_form(&mut self) {
        self.is_unknown_form = true;
    }

    /// Notes output.
    pub(crate) fn note_output(&mut self) {
        self.has_output = true;
        self.is_outdated = true;
        self.is_unreliable |= self.reason.is_some();
    }

    /// Notes the rest of output that had begun. It is older than the reason.
    pub(crate) fn note_rest(&mut self) {
        self.has_output = true;
    }

    /// Notes a reason. Of several without output between them, one of an answer that is not complete counts.
    pub(crate) fn note_reason(&mut self, word: &str) {
        let Some(reason) = finish_reason(word) else { return };
        let is_complete = matches!(reason, Ok(FinishReason::Stop | FinishReason::ToolCalls));
        if self.reason.is_none() || self.is_outdated || !is_complete {
            self.reason = Some(reason);
        }
        self.is_outdated = false;
    }

    /// Whether there was output.
    pub(crate) fn has_output(&self) -> bool {
        self.has_output
    }

    /// Whether there was a reason.
    pub(crate) fn has_reason(&self) -> bool {
        self.reason.is_some()
    }

    /// Whether there was output after the reason.
    pub(crate) fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    /// The reason as it stands, which is an error where the provider gave up.
    pub(crate) fn latest(&self) -> Option<&Result<FinishReason, Error>> {
        self.reason.as_ref()
    }

    /// Whether the last thing said was a reason.
    pub(crate) fn is_reason_last(&self) -> bool {
        self.has_reason() && !self.is_outdated
    }

    /// Whether nothing but usage and an end mark is to be expected.
    pub(crate) fn is_over(&self) -> bool {
        self.is_reason_last() && !self.is_unreliable
    }

    /// Returns the reason of an answer that is over.
    ///
    /// # Errors
    /// If there was none, if it says that the answer is not complete, and if an answer that is said to be complete has no
    /// output although some was counted, or none in a form that is known.
    pub(crate) fn reason(&mut self, usage: Option<Usage>) -> Result<FinishReason, Error> {
        let reason = self.reason.take().ok_or(Error::Closed)??;
        if !self.has_output {
            check_empty(&reason, usage, self.is_known_form && !self.is_unknown_form)?;
        }
        Ok(reason)
    }
}
