//! How much an answer may hold of what only its model knows: details of thoughts, and unknown fields of calls.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Error, UpstreamLimits, lenient};
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

    /// Reads a value; none for one of another form.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    pub(super) fn read<T: DeserializeOwned>(&mut self, json: &RawValue) -> Result<Option<T>, Error> {
        let left = self.left.checked_sub(json.get().len());
        self.left = left.ok_or(Error::Protocol { what: "the fields for the model are too long" })?;
        Ok(lenient::value(json))
    }

    /// Reads fields; those that are null are the same as absent.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    pub(super) fn read_all(&mut self, fields: Vec<(String, &RawValue)>) -> Result<Extra, Error> {
        let mut all = Extra::new();
        for (key, json) in fields {
            let value: Option<Value> = self.read(json)?;
            all.extend(value.filter(|value| !value.is_null()).map(|value| (key, value)));
        }
        Ok(all)
    }
}
