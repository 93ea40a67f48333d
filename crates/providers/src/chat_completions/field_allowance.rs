//! How much an answer may hold of what only its model knows: details of thoughts, and unknown fields of calls.

use serde_json::value::RawValue;

use crate::raw_json::as_written;
use crate::{Error, UpstreamLimits};
use antiphon_protocol::JsonObject;

/// The bytes of such fields that an answer may still have.
///
/// Fields are counted as they came, before they are read. Of details of thoughts, which come in many pieces that repeat most
/// of an entry, only what is kept is counted, and what is left bounds a piece before it is read.
pub(super) struct FieldAllowance {
    left: usize,
}

impl FieldAllowance {
    const TOO_LONG: Error =
        Error::Protocol { what: "the fields for the model are longer than responses.max_output_bytes" };

    /// As much as an answer may have of output.
    pub(super) fn new(limits: UpstreamLimits) -> Self {
        Self { left: limits.output_bytes }
    }

    /// Counts a value that is about to be read.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    fn count(&mut self, json: &RawValue) -> Result<(), Error> {
        self.take(json.get().len())
    }

    /// Takes bytes that are kept.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        self.left = self.left.checked_sub(bytes).ok_or(Self::TOO_LONG)?;
        Ok(())
    }

    /// Looks whether a value that is about to be read could be kept.
    ///
    /// # Errors
    /// [`Error::Protocol`] where it is longer than all that is left.
    pub(super) fn check(&self, json: &RawValue) -> Result<(), Error> {
        if json.get().len() > self.left { Err(Self::TOO_LONG) } else { Ok(()) }
    }

    /// Takes fields; those that are null are the same as absent.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    pub(super) fn read_all(&mut self, fields: Vec<(String, &RawValue)>) -> Result<JsonObject, Error> {
        let mut all = JsonObject::new();
        for (key, json) in fields {
            self.take(key.len())?;
            self.count(json)?;
            all.extend(as_written(json.get()).filter(|value| !value.is_null()).map(|value| (key, value)));
        }
        Ok(all)
    }
}
