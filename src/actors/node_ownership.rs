//! Which epoch a node has, and whether it has a lease, by its own monotonic clock.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::LeaseState;

/// How many renewals are tried within the length of a lease.
const RENEWALS: u32 = 3;

/// The interval at which a lease is renewed.
pub(crate) fn renewal_interval(lease: Duration) -> Duration {
    (lease / RENEWALS).max(Duration::from_millis(1))
}

/// The node's epoch and lease, shared by its actors and the thread that renews the lease.
///
/// The database alone says whether a node has a lease; this says when a node must assume that it has none. It counts
/// from the beginning of each renewal, which is before the moment from which the database counts.
#[derive(Debug, Default)]
pub(crate) struct NodeOwnership(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The epoch; none while the next one is being taken, because the database may have it already.
    epoch: Option<i64>,
    renewals: Renewals,
}

impl NodeOwnership {
    /// Clears the epoch before another one is taken.
    pub(crate) fn leave(&self) {
        *self.0.lock() = Known::default();
    }

    /// Sets the epoch that was taken, by a call to the store that began at that time.
    pub(crate) fn enter(&self, epoch: i64, began: Instant, lease: Duration) {
        let mut known = self.0.lock();
        known.epoch = Some(epoch);
        known.renewals.renewed(began, lease);
    }

    /// The node's lease now.
    pub(crate) fn lease(&self, lasts: Duration) -> LeaseState {
        self.0.lock().renewals.lease(Instant::now(), lasts)
    }

    pub(super) fn epoch(&self) -> Option<i64> {
        self.0.lock().epoch
    }

    /// Takes note of a renewal that began at that time.
    pub(super) fn renewed(&self, began: Instant, lease: Duration) {
        self.0.lock().renewals.renewed(began, lease);
    }

    /// Takes note that the lease may have been given up.
    pub(super) fn given_up(&self) {
        self.0.lock().renewals = Renewals::default();
    }
}

/// The renewals of a lease, by when they began: the first and the last of a series without a gap in which another
/// node's lease could have run out.
#[derive(Debug, Default)]
struct Renewals(Option<(Instant, Instant)>);

impl Renewals {
    fn renewed(&mut self, began: Instant, lease: Duration) {
        let unbroken = self.0.filter(|(_, last)| began.duration_since(*last) <= lease / 2);
        self.0 = Some((unbroken.map_or(began, |(first, _)| first), began));
    }

    /// The lease at that time.
    fn lease(&self, now: Instant, lasts: Duration) -> LeaseState {
        match self.0 {
            Some((_, last)) if now.duration_since(last) >= lasts => LeaseState::Missing,
            Some((first, last)) if now.duration_since(first) >= lasts && now.duration_since(last) <= lasts / 2 => {
                LeaseState::Unbroken
            }
            Some(_) => LeaseState::Held,
            None => LeaseState::Missing,
        }
    }
}

/// For how long a part of a node gave no sign of life, as far as somebody was there to look. A process that stood still
/// as a whole is not silent.
#[derive(Debug)]
pub(super) struct Silence {
    last_look: Instant,
    lasted: Duration,
}

impl Silence {
    pub(super) fn since(now: Instant) -> Self {
        Self { last_look: now, lasted: Duration::ZERO }
    }

    /// For how long it has been silent, at a look that follows the last one after `pause` if nothing stands still.
    pub(super) fn look(&mut self, now: Instant, pause: Duration, is_alive: bool) -> Duration {
        let passed = now.duration_since(std::mem::replace(&mut self.last_look, now));
        self.lasted = if is_alive { Duration::ZERO } else { self.lasted + passed.min(2 * pause) };
        self.lasted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(12);

    /// The lease at second `now`, after renewals that began at these seconds.
    fn lease(renewals: &[u64], now: u64) -> LeaseState {
        let begin = Instant::now();
        let at = |second: u64| begin + Duration::from_secs(second);
        let mut known = Renewals::default();
        renewals.iter().for_each(|second| known.renewed(at(*second), LEASE));
        known.lease(at(now), LEASE)
    }

    #[test]
    fn a_node_takes_over_after_a_whole_lease_without_a_gap() {
        for (renewals, now, expected, why) in [
            (&[][..], 12, LeaseState::Missing, "none was taken"),
            (&[0, 4, 8], 11, LeaseState::Held, "too short"),
            (&[0, 4, 8], 12, LeaseState::Unbroken, "a whole lease"),
            (&[0, 6, 12], 18, LeaseState::Unbroken, "late and without a gap"),
            (&[0, 4, 8, 12], 19, LeaseState::Held, "the database may be away"),
            (&[0, 4, 8, 12, 19, 23], 24, LeaseState::Held, "it was away"),
            (&[0, 4, 8, 12, 19, 23, 27, 31], 31, LeaseState::Unbroken, "it is back for a lease"),
            (&[0, 4, 8, 12], 23, LeaseState::Held, "the last second"),
            (&[0, 4, 8, 12], 24, LeaseState::Missing, "it has run out"),
            (&[0], 100, LeaseState::Missing, "the process stood still"),
            (&[0, 100], 100, LeaseState::Held, "it is renewed"),
        ] {
            assert_eq!(lease(renewals, now), expected, "{renewals:?} at {now}: {why}");
        }
    }

    #[test]
    fn a_lease_that_is_given_up_or_whose_epoch_is_left_is_missing() {
        let ownership = NodeOwnership::default();
        for end in [NodeOwnership::leave, NodeOwnership::given_up] {
            ownership.enter(1, Instant::now(), LEASE);
            assert_eq!(ownership.lease(LEASE), LeaseState::Held);
            end(&ownership);
            assert_eq!(ownership.lease(LEASE), LeaseState::Missing);
        }
    }

    #[test]
    fn silence_is_counted_only_while_somebody_looks() {
        let begin = Instant::now();
        let mut silence = Silence::since(begin);
        let mut look = |second: u64, is_alive| {
            silence.look(begin + Duration::from_secs(second), Duration::from_secs(4), is_alive).as_secs()
        };
        assert_eq!([look(4, true), look(8, false), look(12, false)], [0, 4, 8]);
        assert_eq!(look(1_000, false), 16, "the process stood still");
        assert_eq!([look(1_004, true), look(1_008, false)], [0, 4]);
    }
}
