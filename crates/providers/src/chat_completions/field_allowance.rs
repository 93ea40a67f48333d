//! How much an answer may hold of what only its model knows: details of thoughts, and unknown fields of calls.

use serde_json::value::RawValue;

use crate::raw_json::readable;
use crate::{Error, UpstreamLimits};
use antiphon_protocol::Extra;

/// The bytes of such fields that an answer may still have. They are counted as they came, before they are read.
pub(super) struct FieldAllowance {
    left: usize,
}

impl FieldAllowance {
    /// As much as an answer may have of output.
    pub(super) fn new(limits: UpstreamLimits) -> Self {
        Self { left: limits.output_bytes }
    }

    /// Counts a value that is about to be read.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    pub(super) fn count(&mut self, json: &RawValue) -> Result<(), Error> {
        let left = self.left.checked_sub(json.get().len());
        self.left = left.ok_or(Error::Protocol { what: "the fields for the model are too long" })?;
        Ok(())
    }

    /// Reads fields; those that are null are the same as absent.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    pub(super) fn read_all(&mut self, fields: Vec<(String, &RawValue)>) -> Result<Extra, Error> {
        let mut all = Extra::new();
        for (key, json) in fields {
            self.count(json)?;
            all.extend(readable(json.get()).filter(|value| !value.is_null()).map(|value| (key, value)));
        }
        Ok(all)
    }
}
