//! The network between a server and the database.

use std::time::Duration;

use antiphon::testkit::DelayingProxy;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::plan::OutageKind;

/// How long after an outage what came of it may still be seen.
const AFTERMATH: Duration = Duration::from_secs(3);

/// The only way of a server to the database.
#[derive(Debug)]
pub(crate) struct Network {
    proxy: DelayingProxy,
    /// The database's address by this way.
    pub(super) url: String,
    state: Mutex<NetworkState>,
}

#[derive(Debug, Clone, Copy)]
enum NetworkState {
    Good,
    Out,
    GoodSince(Instant),
}

impl Network {
    /// A way to the database at that address.
    pub(super) fn to(database: &str) -> Self {
        let (proxy, url) = DelayingProxy::in_front_of(database);
        Self { proxy, url, state: Mutex::new(NetworkState::Good) }
    }

    /// Makes each round trip that much longer.
    pub(crate) fn set_round_trip(&self, time: Duration) {
        self.proxy.set_round_trip(time);
    }

    /// Nothing comes through any more.
    pub(crate) fn break_off(&self, kind: OutageKind) {
        *self.state.lock() = NetworkState::Out;
        match kind {
            OutageKind::Silent => self.proxy.stall(),
            OutageKind::Mute => self.proxy.mute(),
            OutageKind::Broken => self.proxy.cut(),
        }
    }

    /// Everything comes through again.
    pub(crate) fn restore(&self) {
        self.proxy.restore();
        *self.state.lock() = NetworkState::GoodSince(Instant::now());
    }

    /// Whether it is out now, or was a moment ago.
    pub(super) fn is_or_was_out(&self) -> bool {
        match *self.state.lock() {
            NetworkState::Good => false,
            NetworkState::Out => true,
            NetworkState::GoodSince(since) => since.elapsed() < AFTERMATH,
        }
    }
}
