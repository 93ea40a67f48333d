//! Which thread an actor lives on, and when a thread counts as hung: the arithmetic.

/// The place of a key among `count`. It has a home that never changes; only while its home is not alive it is
/// spread over those that are. None if none is.
pub(super) fn place(key: u64, count: usize, alive: impl Fn(usize) -> bool) -> Option<usize> {
    let home = remainder(key, count)?;
    if alive(home) {
        return Some(home);
    }
    let n_alive = (0..count).filter(|index| alive(*index)).count();
    // Not the remainder again: the keys of one home would not be spread evenly where the counts have a divisor.
    let other = remainder(key / count as u64, n_alive)?;
    // One that hung meanwhile makes the list shorter.
    (0..count).filter(|index| alive(*index)).nth(other)
}

fn remainder(key: u64, count: usize) -> Option<usize> {
    key.checked_rem(count as u64).and_then(|index| usize::try_from(index).ok())
}

/// How often in a row a thread gave no sign of life.
#[derive(Debug, Clone, Default)]
pub(super) struct Silence(u32);

impl Silence {
    /// Whether a thread is hung that has just answered, or not.
    pub(super) fn is_hung(&mut self, answered: bool, patience: u32) -> bool {
        self.0 = if answered { 0 } else { self.0.saturating_add(1) };
        !answered && self.0 >= patience
    }
}
