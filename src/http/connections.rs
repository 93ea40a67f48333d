//! The connections of a server: how many there may be, and what each is set to.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::{
    Error, HttpMessage as _, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Extensions, ServiceRequest, ServiceResponse},
    http::ConnectionType,
    middleware::Next,
    rt::net::TcpStream,
};
use parking_lot::Mutex;
use rustix::process::{Resource, getrlimit};
use socket2::{SockRef, Socket};
use tokio::time::Instant;

use super::{
    ApiError, ServerOptions,
    in_flight::holding,
    line_per_minute::LinePerMinute,
    waiting::{WaitNumber, WaitingConnections},
};

/// Connections beyond those for clients: on these, health is answered and all else is refused.
const RESERVE: usize = 16;

/// The most connections that a server derives, however many files it may open: each costs memory too.
const MOST_DERIVED: usize = 16_384;

/// The fewest connections that a server derives.
const FEWEST: usize = 8;

/// The bytes that the system keeps of an answer that its client does not take. Linux counts twice as many, for what it
/// needs beside them. Unset, it takes megabytes.
const SEND_BUFFER: usize = 32 * 1024;

/// How many files this process may have open; none where there is no limit.
#[must_use]
pub fn open_files_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// The most connections of clients at a time: as configured, or as many as the open files allow where each connection
/// may need another one to a provider, beside those that the server keeps for itself.
#[must_use]
pub fn most_connections(options: &ServerOptions, open_files: Option<u64>) -> usize {
    if options.max_connections > 0 {
        return options.max_connections;
    }
    let files = open_files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let free = files.saturating_sub(options.reserved_files + files_of_connections(0));
    // The most of which `files_of_connections` says that they fit.
    (free / 5 * 2 + free % 5 / 3).clamp(FEWEST, MOST_DERIVED)
}

/// How many open files so many connections may need: a connection and one to its provider each; half of them, which may
/// wait for a request, a second handle with which they are closed, and so does each of the reserve.
#[must_use]
pub fn files_of_connections(most: usize) -> usize {
    2 * most + most.div_ceil(2) + 2 * RESERVE
}

/// The connections of a server. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    most: usize,
    open: AtomicUsize,
    stall_timeout: Duration,
    crowded_timeout: Duration,
    waiting: WaitingConnections,
    refused: LinePerMinute,
}

/// Stands at a request that was refused for want of connections: a flood of them is no flood of lines.
#[derive(Debug)]
pub(super) struct Refused;

/// One connection, for as long as it is open.
#[derive(Debug)]
pub(super) struct Connection {
    connections: Connections,
    /// How many there were before it.
    before: usize,
    state: Mutex<ConnectionState>,
}

#[derive(Debug, Default)]
struct ConnectionState {
    /// With what it is closed while it waits. None where it can't be, and then it may not wait after an answer.
    socket: Option<Arc<Socket>>,
    waits: Option<WaitNumber>,
    requests: usize,
}

/// A request that is being answered, until the last byte of the answer.
struct Busy(Arc<Connection>);

impl Connections {
    /// As many connections. A client that takes nothing is cut after the stall timeout. Where more than half of all are
    /// taken, none waits for a request for longer than the crowded timeout.
    pub(super) fn new(most: usize, stall_timeout: Duration, crowded_timeout: Duration) -> Self {
        let (open, waiting, refused) = (AtomicUsize::new(0), WaitingConnections::default(), LinePerMinute::default());
        Self(Arc::new(Counted { most, open, stall_timeout, crowded_timeout, waiting, refused }))
    }

    /// How many each of so many workers may have, before it accepts no further one.
    pub(super) fn most_per_worker(&self, workers: usize) -> usize {
        (self.0.most + RESERVE).div_ceil(workers)
    }

    /// Sets a new connection up, and counts it. To be called on a thread with a runtime.
    pub(super) fn accept(&self, socket: &dyn Any, data: &mut Extensions) {
        let socket = socket.downcast_ref::<TcpStream>().and_then(|socket| self.set_up(socket));
        let (connection, waits) = self.counted(socket);
        data.insert(connection);
        if !self.is_crowded() {
            return;
        }
        let counted = Arc::clone(&self.0);
        counted.waiting.close_longest(counted.crowded_timeout);
        let (connections, Some(number)) = (self.clone(), waits) else { return };
        #[expect(clippy::disallowed_methods, reason = "the HTTP server is no actor, and this ends by itself")]
        actix_web::rt::spawn(async move {
            tokio::time::sleep(counted.crowded_timeout).await;
            if connections.is_crowded() {
                counted.waiting.close(number);
            }
        });
    }

    fn counted(&self, socket: Option<Socket>) -> (Arc<Connection>, Option<WaitNumber>) {
        let before = self.0.open.fetch_add(1, Ordering::Relaxed);
        let socket = socket.map(Arc::new);
        let waits = socket.clone().map(|socket| self.0.waiting.enter(socket));
        let state = Mutex::new(ConnectionState { socket, waits, requests: 0 });
        (Arc::new(Connection { connections: self.clone(), before, state }), waits)
    }

    /// Whether more than half of all are taken.
    fn is_crowded(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) > self.0.most / 2
    }

    /// Gives a second handle of it.
    fn set_up(&self, socket: &TcpStream) -> Option<Socket> {
        let socket = SockRef::from(socket);
        let set = socket.set_send_buffer_size(SEND_BUFFER);
        // Who takes nothing, and says so each time it is asked, would otherwise never be given up.
        #[cfg(target_os = "linux")]
        let set = set.and(socket.set_tcp_user_timeout(Some(self.0.stall_timeout)));
        let handle = set.and_then(|()| socket.try_clone());
        // The client may be gone already.
        handle.inspect_err(|error| tracing::debug!(error = %error, "a connection could not be set up")).ok()
    }
}

impl Connection {
    fn is_in_reserve(&self) -> bool {
        self.before >= self.connections.0.most
    }

    /// Whether it may stay open without a request: with more than half of all taken, each is closed after its answer.
    fn may_wait(&self) -> bool {
        self.state.lock().socket.is_some() && !self.connections.is_crowded()
    }

    /// Counts a request: it waits no longer.
    fn begin(self: &Arc<Self>) -> Busy {
        let mut state = self.state.lock();
        state.requests += 1;
        if let Some(number) = state.waits.take() {
            self.connections.0.waiting.leave(number);
        }
        // Its file is for a connection to a provider now.
        if self.before >= self.connections.0.most / 2 {
            state.socket = None;
        }
        drop(state);
        Busy(Arc::clone(self))
    }

    fn refuse(&self) -> ApiError {
        let counted = &self.connections.0;
        if let Some(requests) = counted.refused.count(Instant::now()) {
            tracing::warn!(
                requests,
                max_connections = counted.most,
                "requests were refused: all connections are taken"
            );
        }
        ApiError::no_connection_left()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.requests -= 1;
        if state.requests == 0 {
            state.waits = state.socket.clone().map(|socket| self.0.connections.0.waiting.enter(socket));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(number) = self.state.get_mut().waits {
            self.connections.0.waiting.leave(number);
        }
        self.connections.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers within the limits of connections: refuses what comes on one of the reserve and is no question about health,
/// and closes connections that would idle where there are few left.
pub(super) async fn within_limits<B>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<BoxBody>, Error>
where
    B: MessageBody + 'static,
{
    let busy = connection(request.request()).map(Connection::begin);
    let is_refused = connection(request.request()).is_some_and(|it| it.is_in_reserve()) && !is_about_health(&request);
    let mut answer = match connection(request.request()).filter(|_| is_refused) {
        Some(connection) => {
            let refusal = connection.refuse();
            request.extensions_mut().insert(Refused);
            request.error_response(refusal)
        }
        None => next.call(request).await?.map_into_boxed_body(),
    };
    if connection(answer.request()).is_some_and(|it| it.is_in_reserve() || !it.may_wait()) {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(answer.map_body(|_, body| holding(body, busy)))
}

fn connection(request: &HttpRequest) -> Option<&Arc<Connection>> {
    request.conn_data()
}

fn is_about_health(request: &ServiceRequest) -> bool {
    request.path().starts_with("/health/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_connections_follow_from_the_open_files() {
        let options = ServerOptions { reserved_files: 100, ..ServerOptions::default() };
        let cases = [(Some(64), 8), (Some(256), 49), (Some(1_024), 356), (Some(1_000_000), 16_384), (None, 16_384)];
        for (files, most) in cases {
            assert_eq!(most_connections(&options, files), most, "{files:?}");
        }
        for files in 200..1_000 {
            let most = most_connections(&options, Some(files));
            let needed = |most| 100 + files_of_connections(most) as u64;
            assert!(needed(most) <= files && needed(most + 1) > files, "{files}: {most}");
        }
        let set = ServerOptions { max_connections: 7, ..options };
        assert_eq!(most_connections(&set, Some(64)), 7);
    }

    fn socket() -> Option<Socket> {
        Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()
    }

    #[test]
    fn connections_give_way_and_those_of_the_reserve_are_told_apart() {
        let connections = Connections::new(4, Duration::from_secs(60), Duration::from_secs(1));
        let mut open: Vec<_> = (0..2).map(|_| connections.counted(socket()).0).collect();
        assert!(open[0].may_wait());
        open.extend((2..5).map(|_| connections.counted(socket()).0));
        assert!(!open[0].may_wait());
        assert_eq!(open.iter().filter(|it| it.is_in_reserve()).count(), 1);
        open.truncate(1);
        assert!(open[0].may_wait() && !connections.counted(None).0.is_in_reserve());
        assert!(!connections.counted(None).0.may_wait(), "it could not be closed");
    }

    #[test]
    fn a_connection_waits_from_its_beginning_and_from_the_end_of_each_answer_on() {
        let connections = Connections::new(4, Duration::from_secs(60), Duration::from_secs(1));
        let waits = |connection: &Arc<Connection>| connection.state.lock().waits.is_some();
        let (connection, number) = connections.counted(socket());
        assert!(number.is_some() && waits(&connection));
        let (first, second) = (connection.begin(), connection.begin());
        assert!(!waits(&connection));
        drop(first);
        assert!(!waits(&connection), "the other one is still answered");
        drop(second);
        assert!(waits(&connection));
        // One that came when half were taken can be closed before its first request alone.
        let others: Vec<_> = (0..2).map(|_| connections.counted(socket()).0).collect();
        drop(others[1].begin());
        assert!(waits(&others[0]) && !waits(&others[1]));
    }
}
