//! The short answers.

use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::speaker::Speech;
use crate::stamp::Clock;
use crate::stream::Stream;
use crate::wire::Request;

/// A short answer, which a provider has said after four milliseconds.
pub(super) const SHORT: Speech =
    Speech { number: 0, deltas: 5, interval: Duration::from_millis(1), filling: 0, without_usage: false };
/// The time between the beginnings of two short ones, whether or not the earlier ones have ended.
const EACH: Duration = Duration::from_millis(20);

/// A short answer, from the writing of its request on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Short {
    pub(super) first: Duration,
    pub(super) total: Duration,
}

/// The short answers of the server, and those that the provider itself gave at the same moments.
#[derive(Debug, Default)]
pub(super) struct Shorts {
    pub(super) through_server: Vec<Short>,
    pub(super) direct: Vec<Short>,
}

impl Shorts {
    pub(super) fn extend(&mut self, other: Self) {
        self.through_server.extend(other.through_server);
        self.direct.extend(other.direct);
    }
}

/// Asks for short answers at a steady pace until something is over, and waits for all of them.
pub(super) async fn short_ones_until<T>(
    [through_server, direct]: &[Request; 2],
    clock: Clock,
    over: impl Future<Output = T>,
) -> anyhow::Result<(T, Shorts)> {
    let mut begun = interval(EACH);
    let (mut of_server, mut of_provider) = (JoinSet::new(), JoinSet::new());
    begun.set_missed_tick_behavior(MissedTickBehavior::Burst);
    tokio::pin!(over);
    let result = loop {
        tokio::select! {
            result = &mut over => break result,
            _ = begun.tick() => {
                of_server.spawn(short(through_server.clone(), clock));
                of_provider.spawn(short(direct.clone(), clock));
            }
        }
    };
    let (of_server, of_provider) = (of_server.join_all().await, of_provider.join_all().await);
    let all = |answers: Vec<anyhow::Result<Short>>| {
        answers.into_iter().collect::<anyhow::Result<_>>().context("a short answer")
    };
    Ok((result, Shorts { through_server: all(of_server)?, direct: all(of_provider)? }))
}

async fn short(request: Request, clock: Clock) -> anyhow::Result<Short> {
    let mut stream = Stream::open(&request, clock).await?;
    let first = stream.next().await?.context("no delta")?.arrived;
    while stream.next().await?.is_some() {}
    let sent = stream.sent;
    Ok(Short { first: first.saturating_sub(sent), total: clock.now().saturating_sub(sent) })
}
