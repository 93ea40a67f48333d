//! Waiting for a client to take events, as long as it takes any.

use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::Emission;

#[cfg(test)]
mod tests;

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StalledOrGone {
    /// The client is gone.
    Gone,
    /// The client has taken nothing for as long as it may.
    Stalled,
}

/// How long a client may take nothing, and for how long it has taken nothing already.
#[derive(Debug, Clone, Copy)]
pub(super) struct StallPatience {
    pub(super) longest: Duration,
    pub(super) waited: Duration,
}

/// How long the fold of a client that takes nothing is kept. It grows with the response, and can be made again; but that
/// means to read the log from its beginning, so that each is kept twice as long as the one before.
#[derive(Debug)]
pub(super) struct FoldPatience(Duration);

impl FoldPatience {
    pub(super) const fn new() -> Self {
        Self(Duration::from_secs(5))
    }

    /// For how long a client that has a fold may take nothing before it has none; the client itself is given up at the
    /// stall timeout.
    pub(super) fn longest(&self, stall_timeout: Duration) -> Duration {
        self.0.min(stall_timeout)
    }

    pub(super) fn was_given_up(&mut self) {
        self.0 = self.0.saturating_mul(2);
    }
}

/// Waits until there is room for that many events. Whatever the client takes meanwhile begins its time anew.
pub(super) async fn room(sink: &Sender<Emission>, events: usize, patience: StallPatience) -> Result<(), StalledOrGone> {
    let mut left = patience.longest.saturating_sub(patience.waited);
    loop {
        if sink.is_closed() {
            return Err(StalledOrGone::Gone);
        }
        let free = sink.capacity();
        if free >= events {
            return Ok(());
        }
        match tokio::time::timeout(left, sink.reserve_many(free + 1)).await {
            Ok(taken) => drop(taken.map_err(|_closed| StalledOrGone::Gone)?),
            Err(_elapsed) => return Err(StalledOrGone::Stalled),
        }
        left = patience.longest;
    }
}
