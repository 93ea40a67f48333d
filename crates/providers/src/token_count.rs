//! Counts of tokens as providers write them.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::Value;

/// A count of tokens. Null is none, like a count that is missing, and fractions are rounded. Anything else that is no
/// count (less than nothing, a word) is read as more than any call can have: its report is not believed then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct TokenCount(Option<u64>);

impl TokenCount {
    /// The count that a field of a report has; none if the report is no object.
    pub(crate) fn at(report: &Value, key: &str) -> Self {
        report.get(key).map(Self::of).unwrap_or_default()
    }

    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self(None),
            Value::Number(number) => Self(number.as_u64().or_else(|| number.as_f64().map(rounded)).or(Some(u64::MAX))),
            Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Self(Some(u64::MAX)),
        }
    }

    pub(crate) const fn known(self) -> Option<u64> {
        self.0
    }

    /// This count of a report, or an earlier one of the same answer: counts grow, so zero says nothing new.
    pub(crate) fn after(self, earlier: Self) -> Self {
        Self(self.0.filter(|count| *count > 0).or(earlier.0).or(self.0))
    }

    /// The count as one of a part, which can be left out: zero for what is no count.
    pub(crate) fn as_part(self) -> u64 {
        self.0.filter(|count| *count < u64::MAX).unwrap_or_default()
    }

    /// The count, or zero.
    pub(crate) fn or_zero(self) -> u64 {
        self.0.unwrap_or_default()
    }
}

impl From<Value> for TokenCount {
    fn from(value: Value) -> Self {
        Self::of(&value)
    }
}

/// The largest count of all for what is less than nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, not negative, and saturating")]
fn rounded(count: f64) -> u64 {
    if count < 0.0 { u64::MAX } else { count.round() as u64 }
}
