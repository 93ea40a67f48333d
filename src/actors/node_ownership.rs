//! Which epoch a node has, and since when it has renewed its lease.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How many renewals are tried within the length of a lease.
const RENEWALS: u32 = 3;

/// The interval at which a lease is renewed.
pub(crate) fn renewal_interval(lease: Duration) -> Duration {
    (lease / RENEWALS).max(Duration::from_millis(1))
}

/// The node's epoch and lease, shared by its actors and the thread that renews the lease.
#[derive(Debug, Default)]
pub(crate) struct NodeOwnership(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The epoch; none while the next one is being taken, because the database may have it already.
    epoch: Option<i64>,
    streak: Streak,
}

impl NodeOwnership {
    /// Clears the epoch before another one is taken.
    pub(crate) fn leave(&self) {
        self.0.lock().epoch = None;
    }

    /// Sets the epoch that was taken.
    pub(crate) fn enter(&self, epoch: i64) {
        self.0.lock().epoch = Some(epoch);
    }

    /// Whether responses of nodes without a lease may be taken over. This node must have renewed its own lease for a
    /// whole lease without a gap: only then was the database available for the other node to renew its lease too.
    pub(crate) fn may_take_over(&self, lease: Duration) -> bool {
        self.0.lock().streak.lasts(Instant::now(), lease)
    }

    pub(super) fn epoch(&self) -> Option<i64> {
        self.0.lock().epoch
    }

    pub(super) fn renewed(&self, lease: Duration) {
        self.0.lock().streak.renewed(Instant::now(), lease);
    }
}

/// A series of renewals (its first and its last) without a gap in which another node's lease could have run out.
#[derive(Debug, Default)]
struct Streak(Option<(Instant, Instant)>);

impl Streak {
    fn renewed(&mut self, now: Instant, lease: Duration) {
        let unbroken = self.0.filter(|(_, last)| now.duration_since(*last) <= lease / 2);
        self.0 = Some((unbroken.map_or(now, |(first, _)| first), now));
    }

    /// Whether the series has lasted for a whole lease and has not been broken.
    fn lasts(&self, now: Instant, lease: Duration) -> bool {
        let steady = |(first, last): (Instant, Instant)| {
            now.duration_since(first) >= lease && now.duration_since(last) <= lease / 2
        };
        self.0.is_some_and(steady)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(12);

    /// Whether the series lasts at second `now`, after renewals at these seconds.
    fn lasts(renewals: &[u64], now: u64) -> bool {
        let begin = Instant::now();
        let at = |second: u64| begin + Duration::from_secs(second);
        let mut streak = Streak::default();
        renewals.iter().for_each(|second| streak.renewed(at(*second), LEASE));
        streak.lasts(at(now), LEASE)
    }

    #[test]
    fn a_node_takes_over_after_a_whole_lease_without_a_gap() {
        assert!(!lasts(&[], 12));
        assert!(!lasts(&[0, 4, 8], 11), "too short");
        assert!(lasts(&[0, 4, 8], 12));
        assert!(lasts(&[0, 6, 12], 18), "late and without a gap");
        assert!(!lasts(&[0, 4, 8, 12], 19), "the database may be away");
        assert!(!lasts(&[0, 4, 8, 12, 19, 23], 24), "it was away");
        assert!(lasts(&[0, 4, 8, 12, 19, 23, 27, 31], 31), "it is back for a lease");
    }
}
