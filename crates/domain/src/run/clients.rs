//! The clients of a run, and what follows when the last one leaves.

use std::collections::BTreeMap;

use super::{ClientEvent, ClientNeed, Run, Timer};
use crate::{DisconnectPolicy, Fact};

/// The number of a client among those of one response.
pub type ClientId = u64;

/// The clients that are there.
#[derive(Debug, Default)]
pub(super) struct ConnectedClients(BTreeMap<ClientId, ConnectedClient>);

#[derive(Debug, Clone, Copy)]
struct ConnectedClient {
    /// Events are being emitted to it.
    emitting: bool,
    /// The client has not received all events that it asked for.
    wants_events: bool,
}

impl ConnectedClients {
    fn join(&mut self, client: ClientId, need: ClientNeed) {
        let wants_events = need == ClientNeed::Events;
        self.0.insert(client, ConnectedClient { emitting: wants_events, wants_events });
    }

    /// Whether no client needs the run any more. A client whose emitter failed can read a stored response from its
    /// log; the events of any other response are in the run alone.
    pub(super) fn are_served(&self, stored: bool) -> bool {
        self.0.values().all(|client| !client.emitting && (stored || !client.wants_events))
    }
}

impl Run {
    pub(super) fn client_event(&mut self, client: ClientId, event: ClientEvent) {
        match event {
            ClientEvent::Joined(need) => {
                self.clients.join(client, need);
                self.stop_timer(Timer::Grace);
            }
            ClientEvent::Served => {
                if let Some(client) = self.clients.0.get_mut(&client) {
                    client.wants_events = false;
                }
            }
            ClientEvent::EmitterEnded => {
                // If the client is still there its connection subscribes again.
                if let Some(client) = self.clients.0.get_mut(&client) {
                    client.emitting = false;
                }
                self.leave_when_served();
            }
            ClientEvent::Left => self.client_left(client),
        }
    }

    fn client_left(&mut self, client: ClientId) {
        let was_there = self.clients.0.remove(&client).is_some();
        if was_there && self.clients.0.is_empty() && self.state.is_undecided() && !self.is_background() {
            self.last_client_left();
        }
        self.leave_when_served();
    }

    /// Applies the disconnect policy of a foreground response whose last client has left.
    pub(super) fn last_client_left(&mut self) {
        match self.setup.policy.disconnect {
            DisconnectPolicy::Continue => {}
            DisconnectPolicy::Grace(grace) if self.client_can_return() => self.start_timer(Timer::Grace, grace),
            DisconnectPolicy::Grace(_) | DisconnectPolicy::Cancel => self.lose_client(),
        }
    }

    /// Whether a client can come back: the response can be read later, and the client knows its id or has an
    /// idempotency key.
    fn client_can_return(&self) -> bool {
        let is_known = self.durable > 0 || self.setup.claims_key;
        self.setup.request.store && self.setup.policy.resumable && is_known
    }

    pub(super) fn grace_over(&mut self) {
        if self.clients.0.is_empty() {
            self.lose_client();
        }
    }

    fn lose_client(&mut self) {
        self.finish(vec![Fact::ClientLost { at: self.now }]);
    }
}
