//! What is going to happen, and when: a pure function of the seed.

use std::time::Duration;

use crate::performance::{Performance, STEADY};
use crate::random::Random;

mod disturbances;

pub(crate) use disturbances::{Disturbance, OutageKind, Trouble};

/// How large a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How many servers share the database.
    pub(crate) servers: usize,
    /// For how long things happen.
    pub(crate) duration: Duration,
    /// How many clients come in a second.
    pub(crate) rate: u32,
    /// The shortest and the longest time between two blows at one server, in milliseconds.
    pub(crate) gap: (u64, u64),
    /// The longest time that a server is stopped, in milliseconds.
    pub(crate) longest_stop: u64,
    /// Whether clients have idempotency keys.
    pub(crate) keys: bool,
    /// Whether there is a network between the servers and the database.
    pub(crate) network: bool,
    /// Whether there are users who are deleted.
    pub(crate) deletions: bool,
}

/// All that happens.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Every client, in the order in which they come.
    pub(crate) visits: Vec<Visit>,
    /// What is done to each server, one after the other.
    pub(crate) strikes: Vec<Vec<Strike>>,
    /// When connections of the provider are cut: of which provider, and how many at most.
    pub(crate) cuts: Vec<(Duration, Cut)>,
    /// What happens besides.
    pub(crate) disturbances: Vec<Disturbance>,
    /// How many users there are besides the one who stays. All of them are deleted.
    pub(crate) users: usize,
}

/// A blow and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strike {
    /// How long after the server listens again.
    pub(crate) after: Duration,
    /// Or, if so, after the blow before: what that began is not over yet.
    pub(crate) hasty: bool,
    /// What is done.
    pub(crate) blow: Blow,
}

/// What is done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    /// SIGKILL, and another start.
    Kill,
    /// SIGSTOP, and SIGCONT after that time.
    Stop(Duration),
    /// SIGTERM, and another start when it has ended. Perhaps a second signal after that time.
    Terminate(Option<Duration>),
}

/// Connections of a provider that are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Which of the steady providers.
    pub(crate) stage: u64,
    /// How many of its connections at most.
    pub(crate) most: usize,
}

/// How a response is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// `stream`.
    pub(crate) stream: bool,
    /// `background`.
    pub(crate) background: bool,
    /// `store`.
    pub(crate) store: bool,
}

/// A client and its response.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Its place in the plan; the prompt says it.
    pub(crate) number: u32,
    /// When it comes.
    pub(crate) at: Duration,
    /// The server that it tries first.
    pub(crate) server: usize,
    /// How it asks.
    pub(crate) form: Form,
    /// What the provider does.
    pub(crate) performance: Performance,
    /// The number of its user, if that is one who is going to be deleted.
    pub(crate) user: Option<usize>,
    /// Whether it goes on from a response that has ended.
    pub(crate) chained: bool,
    /// Whether its streams are padded.
    pub(crate) obfuscated: bool,
    /// Whether it has an idempotency key.
    pub(crate) keyed: bool,
    /// What it says about leaving, in a header.
    pub(crate) disconnect: Option<&'static str>,
    /// After how many events it leaves, and for how long; the first time, the second time and so on.
    pub(crate) leaves: Vec<(u64, Duration)>,
    /// Whether it comes back after it left or lost its connection.
    pub(crate) returns: bool,
    /// What happens besides, each after a time.
    pub(crate) asides: Vec<(Duration, Aside)>,
    /// What it does once the response has ended.
    pub(crate) afterwards: Vec<Aside>,
}

/// What is done with a response on a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    /// Its object is read.
    Retrieve,
    /// It is cancelled.
    Cancel,
    /// It is deleted.
    Delete,
    /// Its stream is read again, from that percentage of what was seen on, and left after so many events.
    Watch(u64, u64),
    /// The same is posted with the same key, if there is one.
    Repeat,
    /// Another body is posted with the same key, if there is one.
    Misuse,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64, shape: Shape) -> Self {
        let deletions = disturbances::deletions(seed, shape);
        Self {
            disturbances: disturbances::disturbances(seed, shape),
            users: deletions.len(),
            visits: visits(&mut Random::new(seed, 1), shape, &deletions),
            cuts: cuts(&mut Random::new(seed, 2), shape),
            strikes: (0..shape.servers)
                .map(|server| strikes(&mut Random::new(seed, 3 + server as u64), shape))
                .collect(),
        }
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How long before its end a user has visitors.
const LAST_DAYS: Duration = Duration::from_millis(2_000);

fn visits(random: &mut Random, shape: Shape, deletions: &[Duration]) -> Vec<Visit> {
    let all = shape.duration.as_millis() * u128::from(shape.rate) / 1_000;
    let gap = Duration::from_secs(1) / shape.rate.max(1);
    let visit = |number| {
        let mut visit = visit(random, shape, (number, gap * number));
        // Of whom there are no other responses to go on from.
        if random.percent(25) && !visit.chained {
            visit.user = deletions.iter().position(|end| visit.at < *end && *end <= visit.at + LAST_DAYS);
        }
        visit
    };
    (0..u32::try_from(all).unwrap_or(u32::MAX)).map(visit).collect()
}

fn visit(random: &mut Random, shape: Shape, (number, at): (u32, Duration)) -> Visit {
    let form = form(random);
    let leaves = 0..random.weighted((50, 0), &[(30, 1), (15, 2), (5, 4)]);
    let asides = 0..random.weighted((35, 0), &[(35, 1), (20, 2), (10, 3)]);
    let afterwards = 0..random.weighted((40, 0), &[(40, 1), (20, 2)]);
    Visit {
        number,
        at,
        server: usize::try_from(random.within(0, shape.servers as u64 - 1)).unwrap_or(0),
        form,
        performance: Performance::random(random),
        user: None,
        chained: random.percent(15),
        obfuscated: random.percent(15),
        keyed: random.percent(35) && shape.keys,
        disconnect: random.weighted((55, None), &[(20, Some("continue")), (10, Some("cancel")), (15, Some("grace"))]),
        leaves: leaves.map(|_| (random.within(0, 20), millis(random.within(0, 600)))).collect(),
        returns: random.percent(85),
        asides: asides.map(|_| (millis(random.within(0, 1_500)), aside(random))).collect(),
        afterwards: afterwards.map(|_| aside(random)).collect(),
    }
}

fn form(random: &mut Random) -> Form {
    let form = |stream, background, store| Form { stream, background, store };
    random.weighted(
        (40, form(true, false, true)),
        &[
            (15, form(false, false, true)),
            (12, form(false, true, true)),
            (13, form(true, true, true)),
            (12, form(true, false, false)),
            (8, form(false, false, false)),
        ],
    )
}

fn aside(random: &mut Random) -> Aside {
    let watch = Aside::Watch(random.within(0, 100), random.within(1, 60));
    random.weighted(
        (30, Aside::Retrieve),
        &[(14, Aside::Cancel), (6, Aside::Delete), (25, watch), (18, Aside::Repeat), (7, Aside::Misuse)],
    )
}

fn cuts(random: &mut Random, shape: Shape) -> Vec<(Duration, Cut)> {
    let mut at = Duration::ZERO;
    std::iter::from_fn(|| {
        at += millis(random.within(200, 2_000));
        let cut = Cut { stage: random.within(0, STEADY - 1), most: usize::try_from(random.within(1, 4)).unwrap_or(1) };
        (at < shape.duration).then_some((at, cut))
    })
    .collect()
}

/// As many as there may be time for.
fn strikes(random: &mut Random, shape: Shape) -> Vec<Strike> {
    let (shortest, longest) = shape.gap;
    let mut begun = Duration::ZERO;
    std::iter::from_fn(|| {
        let hasty = random.percent(10);
        let after = millis(if hasty { random.within(20, shortest.max(20)) } else { random.within(shortest, longest) });
        let strike = Strike { after, hasty, blow: blow(random, shape) };
        begun += after;
        (begun < shape.duration).then_some(strike)
    })
    .collect()
}

fn blow(random: &mut Random, shape: Shape) -> Blow {
    let stop = Blow::Stop(millis(random.within(20, 600)));
    let long_stop = Blow::Stop(millis(random.within(600, shape.longest_stop)));
    let second = random.percent(40).then(|| millis(random.within(0, 600)));
    random.weighted((76, Blow::Kill), &[(13, stop), (3, long_stop), (8, Blow::Terminate(second))])
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const SHAPE: Shape = Shape {
        servers: 2,
        duration: Duration::from_secs(20),
        rate: 30,
        gap: (300, 2_000),
        longest_stop: 2_000,
        keys: true,
        network: true,
        deletions: true,
    };

    fn text(seed: u64) -> String {
        format!("{:?}", Plan::of(seed, SHAPE))
    }

    #[test]
    fn a_seed_is_one_plan_and_another_seed_another() {
        for seed in 0..20 {
            assert_eq!(text(seed), text(seed));
            assert_ne!(text(seed), text(seed + 1));
        }
    }

    #[test]
    fn a_longer_plan_begins_as_the_shorter_one_does() {
        let longer = Shape { duration: SHAPE.duration * 2, ..SHAPE };
        let (short, long) = (Plan::of(7, SHAPE), Plan::of(7, longer));
        // The last ones may belong to a user who is deleted in the longer one alone.
        let same = short.visits.iter().filter(|visit| visit.at + LAST_DAYS < SHAPE.duration).count();
        assert!(same > 500);
        assert_eq!(format!("{:?}", &short.visits[..same]), format!("{:?}", &long.visits[..same]));
        assert_eq!(short.strikes[1], long.strikes[1][..short.strikes[1].len()]);
    }

    #[test]
    fn a_plan_has_everything_in_it_and_nothing_after_its_end() {
        let plan = Plan::of(1, SHAPE);
        assert_eq!(plan.visits.len(), 600);
        assert_eq!(plan.strikes.len(), 2);
        let is = |blow: fn(&Blow) -> bool| plan.strikes.iter().flatten().any(|strike| blow(&strike.blow));
        assert!(is(|blow| *blow == Blow::Kill));
        assert!(is(|blow| matches!(blow, Blow::Stop(_))));
        assert!(is(|blow| matches!(blow, Blow::Terminate(_))));
        assert!(
            plan.strikes
                .iter()
                .all(|strikes| strikes.iter().map(|strike| strike.after).sum::<Duration>() < SHAPE.duration)
        );
        assert!(plan.cuts.iter().all(|(at, _)| *at < SHAPE.duration));
        let users: std::collections::BTreeSet<_> = plan.visits.iter().filter_map(|visit| visit.user).collect();
        assert_eq!(users.len(), plan.users, "each has visitors");
    }
}
