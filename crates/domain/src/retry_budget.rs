//! How many retries a provider is sent, so that retries never become the load that keeps it down.

use std::time::Duration;

use super::Timestamp;

#[cfg(test)]
mod tests;

/// How many retries may happen within a time. Whole numbers only, so that limits are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudgetPolicy {
    /// Retries that are allowed within the window however few requests there are.
    pub free: u32,
    /// Further retries for each thousand first attempts within the window.
    pub per_thousand: u32,
    /// The window that slides over both.
    pub window: Duration,
}

impl Default for RetryBudgetPolicy {
    fn default() -> Self {
        Self { free: 10, per_thousand: 200, window: Duration::from_secs(10) }
    }
}

const SLICES: usize = 10;

/// The first attempts and the retries of one slice of the window.
#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    first_attempts: u32,
    retries: u32,
}

/// A budget of retries. Each first attempt pays a share of a retry in, each retry takes a whole one out.
///
/// The window slides in ten steps: what happened counts for nine to ten tenths of the window.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    policy: RetryBudgetPolicy,
    slices: [Slice; SLICES],
    /// The slice of time that `slices[0]` is; the older ones follow.
    newest: i64,
}

impl RetryBudget {
    /// Makes a budget without any attempts.
    #[must_use]
    pub const fn new(policy: RetryBudgetPolicy) -> Self {
        Self { policy, slices: [Slice { first_attempts: 0, retries: 0 }; SLICES], newest: i64::MIN }
    }

    /// Counts a first attempt, which pays into the budget.
    pub fn first_attempt(&mut self, now: Timestamp) {
        let slice = self.current(now);
        slice.first_attempts = slice.first_attempts.saturating_add(1);
    }

    /// Takes a retry out of the budget. Returns false and takes nothing if none is left.
    #[must_use]
    pub fn retry(&mut self, now: Timestamp) -> bool {
        // The window slides first, so that what is too old no longer counts.
        let _ = self.current(now);
        let total = |count: fn(&Slice) -> u32| self.slices.iter().map(|slice| u64::from(count(slice))).sum::<u64>();
        let earned = total(|slice| slice.first_attempts).saturating_mul(u64::from(self.policy.per_thousand)) / 1_000;
        if total(|slice| slice.retries) >= earned.saturating_add(u64::from(self.policy.free)) {
            return false;
        }
        let slice = self.current(now);
        slice.retries = slice.retries.saturating_add(1);
        true
    }

    /// The slice that contains now. A clock that was set back a little counts in the newest slice; one that was set
    /// back by more than the window begins anew, so that old retries do not count for as long as the clock was ahead.
    fn current(&mut self, now: Timestamp) -> &mut Slice {
        let step = i64::try_from(self.policy.window.as_micros() / SLICES as u128).unwrap_or(i64::MAX).max(1);
        let slice = now.as_micros().div_euclid(step);
        let behind = self.newest.saturating_sub(slice);
        let ahead = usize::try_from(slice.saturating_sub(self.newest)).unwrap_or(0);
        if ahead > 0 || behind > SLICES as i64 {
            let passed = if behind > 0 { SLICES } else { ahead.min(SLICES) };
            self.slices.rotate_right(passed % SLICES);
            self.slices.iter_mut().take(passed).for_each(|slice| *slice = Slice::default());
            self.newest = slice;
        }
        let [newest, ..] = &mut self.slices;
        newest
    }
}
