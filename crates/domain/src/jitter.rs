//! Randomness as a value, so that what uses it stays a plain function.

use std::time::Duration;

/// A random fraction, at least 0 and less than 1, in steps of 2⁻³².
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(u32);

impl Jitter {
    /// The smallest fraction: zero.
    pub const LEAST: Self = Self(0);

    /// The largest fraction: one step below 1.
    pub const MOST: Self = Self(u32::MAX);

    /// The fraction that these random bits stand for.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// This fraction of a time, in whole microseconds.
    #[must_use]
    pub fn of(self, whole: Duration) -> Duration {
        let micros = whole.as_micros().saturating_mul(u128::from(self.0)) >> u32::BITS;
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}
