//! The connections without a request, which can be made to give way to others.

use std::{collections::BTreeMap, net::Shutdown, sync::Arc, time::Duration};

use parking_lot::Mutex;
use socket2::Socket;
use tokio::time::Instant;

/// The connections of a server that wait for the head of a request, in the order in which they began to.
#[derive(Debug, Default)]
pub(super) struct WaitingConnections(Mutex<WaitingSockets>);

#[derive(Debug, Default)]
struct WaitingSockets {
    next: WaitNumber,
    sockets: BTreeMap<WaitNumber, (Instant, Arc<Socket>)>,
}

/// One time of waiting.
pub(super) type WaitNumber = u64;

impl WaitingConnections {
    /// From now on this one waits.
    pub(super) fn enter(&self, socket: Arc<Socket>) -> WaitNumber {
        let mut waiting = self.0.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.sockets.insert(number, (Instant::now(), socket));
        number
    }

    /// It has a request, or is gone.
    pub(super) fn leave(&self, number: WaitNumber) {
        self.0.lock().sockets.remove(&number);
    }

    /// Closes this one, if it waits still.
    pub(super) fn close(&self, number: WaitNumber) {
        let waits = self.0.lock().sockets.remove(&number);
        if let Some((_, socket)) = waits {
            shut(&socket);
        }
    }

    /// Closes the one that waits the longest, if that is as long as this.
    pub(super) fn close_longest(&self, least: Duration) {
        let mut waiting = self.0.lock();
        let longest = waiting.sockets.first_entry().filter(|entry| entry.get().0.elapsed() >= least);
        if let Some((_, socket)) = longest.map(|entry| entry.remove()) {
            shut(&socket);
        }
    }
}

/// The server's own end sees it as if the client had closed.
fn shut(socket: &Socket) {
    if let Err(error) = socket.shutdown(Shutdown::Both) {
        tracing::debug!(error = %error, "a connection that had no request was closed already");
    }
}
