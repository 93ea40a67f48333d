//! Which thread an actor lives on, and when a thread counts as hung: the arithmetic.

/// The position of a key among `count`. It has a home that never changes; only while its home is not alive it is
/// spread over those that are. None if none is.
pub(super) fn position(key: u64, count: usize, alive: impl Fn(usize) -> bool) -> Option<usize> {
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
#[derive(Debug, Clone)]
pub(super) struct SilenceCounter {
    /// The signs that it had given at the last look.
    seen: u64,
    looks: u32,
}

impl SilenceCounter {
    /// Of a thread that has given so many signs of life up to now.
    pub(super) fn since(signs: u64) -> Self {
        Self { seen: signs, looks: 0 }
    }

    /// Whether a thread is hung that has given so many signs of life. A late one is one too: a thread that answers each
    /// question, if only after the next was asked, is slow and not hung.
    pub(super) fn is_hung(&mut self, signs: u64, patience: u32) -> bool {
        let answered = signs != self.seen;
        self.seen = signs;
        self.looks = if answered { 0 } else { self.looks.saturating_add(1) };
        !answered && self.looks >= patience
    }
}
