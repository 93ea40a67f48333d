//! What is wrong with the values of options.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// An option whose value is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionError {
    /// The option's name in its section.
    pub key: &'static str,
    /// What is wrong with its value.
    pub reason: String,
}

/// Collects the invalid values of one struct of options.
#[derive(Debug, Default)]
pub struct OptionChecks {
    errors: Vec<OptionError>,
}

impl OptionChecks {
    /// Refuses a number outside of the range.
    pub fn range<T: PartialOrd + Display>(&mut self, key: &'static str, value: T, allowed: RangeInclusive<T>) {
        let (least, most) = allowed.into_inner();
        self.require(key, value >= least, || format!("must be at least {least}"));
        self.require(key, value <= most, || format!("must be at most {most}"));
    }

    /// Refuses a value for which `holds` is false.
    pub fn require<R: Into<String>>(&mut self, key: &'static str, holds: bool, reason: impl FnOnce() -> R) {
        if !holds {
            self.errors.push(OptionError { key, reason: reason().into() });
        }
    }

    /// Adds the result of a check of a value.
    pub fn result(&mut self, key: &'static str, checked: Result<(), String>) {
        self.errors.extend(checked.err().map(|reason| OptionError { key, reason }));
    }

    /// Returns everything that was refused, in the order of the checks.
    #[must_use]
    pub fn into_errors(self) -> Vec<OptionError> {
        self.errors
    }
}
