//! What happens beside the blows at single servers: to the network, the users, the key ring, the logs, the threads.

use std::time::Duration;

use super::{Shape, millis};
use crate::random::Random;

/// Something that happens beside the blows, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disturbance {
    /// How long after the beginning.
    pub(crate) at: Duration,
    /// What happens.
    pub(crate) trouble: Trouble,
}

/// What happens beside the blows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A round trip from a server to the database takes that much longer from now on.
    RoundTrip { server: usize, time: Duration },
    /// A server can't reach the database for a while; or none can, without a server.
    Outage { server: Option<usize>, kind: OutageKind, lasts: Duration },
    /// The key ring gets a new key.
    Rotation,
    /// The user of that number is deleted.
    UserDeletion(usize),
    /// Nobody reads the log of a server for a while.
    StalledLog { server: usize, lasts: Duration },
    /// A thread of a server that responses live on stands still for a while.
    BlockedArbiter { server: usize, lasts: Duration },
}

/// How a database is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageKind {
    /// Nothing comes through, and nothing breaks.
    Silent,
    /// What is asked comes through, the answers do not.
    Mute,
    /// Connections break, and new ones too.
    Broken,
}

/// All of them, each kind with random numbers of its own, in the order in which they come.
pub(super) fn disturbances(seed: u64, shape: Shape) -> Vec<Disturbance> {
    let stream = |number: u64| Random::new(seed, 100 + number);
    let mut all = rotations(&mut stream(0), shape);
    all.extend(stalled_logs(&mut stream(1), shape));
    all.extend(blocked_arbiters(&mut stream(2), shape));
    all.extend(
        deletions(seed, shape)
            .into_iter()
            .enumerate()
            .map(|(user, at)| Disturbance { at, trouble: Trouble::UserDeletion(user) }),
    );
    if shape.network {
        all.extend(round_trips(&mut stream(3), shape));
        all.extend(outages(&mut stream(4), shape));
    }
    all.sort_by_key(|disturbance| disturbance.at);
    all
}

/// When the users are deleted, by their numbers.
pub(super) fn deletions(seed: u64, shape: Shape) -> Vec<Duration> {
    times(&mut Random::new(seed, 105), shape, (2_500, 6_000)).filter(|_| shape.deletions).collect()
}

/// Times with a gap of that many milliseconds between two.
fn times(random: &mut Random, shape: Shape, (shortest, longest): (u64, u64)) -> impl Iterator<Item = Duration> {
    let mut at = Duration::ZERO;
    std::iter::from_fn(move || {
        at += millis(random.within(shortest, longest));
        (at < shape.duration).then_some(at)
    })
}

fn rotations(random: &mut Random, shape: Shape) -> Vec<Disturbance> {
    times(random, shape, (3_000, 9_000)).map(|at| Disturbance { at, trouble: Trouble::Rotation }).collect()
}

fn stalled_logs(random: &mut Random, shape: Shape) -> Vec<Disturbance> {
    let mut lengths = random.clone();
    times(random, shape, (2_000, 9_000))
        .map(|at| {
            let lasts = millis(lengths.within(1_000, 5_000));
            Disturbance { at, trouble: Trouble::StalledLog { server: server(&mut lengths, shape), lasts } }
        })
        .collect()
}

/// Most short, some so long that the lease is over and what lives there counts as hung, none so long that the server ends
/// itself.
fn blocked_arbiters(random: &mut Random, shape: Shape) -> Vec<Disturbance> {
    let mut lengths = random.clone();
    times(random, shape, (1_500, 6_000))
        .map(|at| {
            let short = millis(lengths.within(100, 2_500));
            let long = millis(lengths.within(3_200, 4_000));
            let lasts = lengths.weighted((75, short), &[(25, long)]);
            Disturbance { at, trouble: Trouble::BlockedArbiter { server: server(&mut lengths, shape), lasts } }
        })
        .collect()
}

fn round_trips(random: &mut Random, shape: Shape) -> Vec<Disturbance> {
    let mut lengths = random.clone();
    times(random, shape, (500, 2_500))
        .map(|at| {
            let time = millis(lengths.weighted((40, 0), &[(25, 1), (25, 4), (10, 12)]));
            Disturbance { at, trouble: Trouble::RoundTrip { server: server(&mut lengths, shape), time } }
        })
        .collect()
}

/// One after the other: most short ones, and some longer than the lease.
fn outages(random: &mut Random, shape: Shape) -> Vec<Disturbance> {
    let mut at = Duration::ZERO;
    std::iter::from_fn(|| {
        at += millis(random.within(2_000, 6_000));
        let short = millis(random.within(200, 2_000));
        let long = millis(random.within(3_200, 6_000));
        let lasts = random.weighted((75, short), &[(25, long)]);
        let one = server(random, shape);
        let server = random.weighted((65, Some(one)), &[(35, None)]);
        let kind = random.weighted((45, OutageKind::Silent), &[(20, OutageKind::Mute), (35, OutageKind::Broken)]);
        let outage = Disturbance { at, trouble: Trouble::Outage { server, kind, lasts } };
        at += lasts;
        (outage.at < shape.duration).then_some(outage)
    })
    .collect()
}

fn server(random: &mut Random, shape: Shape) -> usize {
    usize::try_from(random.within(0, shape.servers as u64 - 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::SHAPE;
    use super::*;

    #[test]
    fn every_kind_of_trouble_comes_and_none_after_the_end() {
        let all = disturbances(1, SHAPE);
        let is = |trouble: fn(&Trouble) -> bool| all.iter().any(|disturbance| trouble(&disturbance.trouble));
        assert!(is(|trouble| *trouble == Trouble::Rotation));
        assert!(is(|trouble| matches!(trouble, Trouble::RoundTrip { .. })));
        assert!(is(|trouble| matches!(trouble, Trouble::UserDeletion(0))));
        assert!(is(|trouble| matches!(trouble, Trouble::StalledLog { .. })));
        assert!(is(|trouble| matches!(trouble, Trouble::BlockedArbiter { .. })));
        assert!(is(|trouble| matches!(trouble, Trouble::Outage { server: Some(_), .. })));
        assert!(is(|trouble| matches!(trouble, Trouble::Outage { server: None, .. })));
        assert!(all.iter().all(|disturbance| disturbance.at < SHAPE.duration));
    }

    #[test]
    fn outages_follow_each_other_and_some_are_longer_than_the_lease() {
        let long = Shape { duration: Duration::from_secs(600), ..SHAPE };
        let outages: Vec<_> = disturbances(7, long)
            .into_iter()
            .filter_map(|Disturbance { at, trouble }| match trouble {
                Trouble::Outage { lasts, .. } => Some((at, lasts)),
                Trouble::RoundTrip { .. }
                | Trouble::Rotation
                | Trouble::UserDeletion(_)
                | Trouble::StalledLog { .. }
                | Trouble::BlockedArbiter { .. } => None,
            })
            .collect();
        assert!(outages.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0));
        assert!(outages.iter().any(|(_, lasts)| *lasts > Duration::from_secs(3)));
    }

    #[test]
    fn without_a_network_between_nothing_happens_to_it() {
        let all = disturbances(1, Shape { network: false, ..SHAPE });
        assert!(!all.is_empty());
        assert!(
            !all.iter().any(|disturbance| {
                matches!(disturbance.trouble, Trouble::Outage { .. } | Trouble::RoundTrip { .. })
            })
        );
    }

    #[test]
    fn the_trouble_of_a_longer_run_begins_as_that_of_a_shorter_one() {
        let longer = Shape { duration: SHAPE.duration * 2, ..SHAPE };
        let (short, long) = (disturbances(3, SHAPE), disturbances(3, longer));
        assert_eq!(short, long[..short.len()]);
    }
}
