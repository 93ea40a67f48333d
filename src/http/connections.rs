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
use rustix::process::{Resource, getrlimit};
use socket2::SockRef;
use tokio::time::Instant;

use super::{ApiError, ServerOptions, line_per_minute::LinePerMinute};

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
    (files.saturating_sub(options.reserved_files + RESERVE) / 2).clamp(FEWEST, MOST_DERIVED)
}

/// The connections of a server. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    most: usize,
    open: AtomicUsize,
    stall_timeout: Duration,
    refused: LinePerMinute,
}

/// Stands at a request that was refused for want of connections: a flood of them is no flood of lines.
#[derive(Debug)]
pub(super) struct Refused;

/// One connection, for as long as it is open.
#[derive(Debug)]
pub(super) struct Connection {
    connections: Connections,
    is_in_reserve: bool,
}

impl Connections {
    pub(super) fn new(most: usize, stall_timeout: Duration) -> Self {
        Self(Arc::new(Counted { most, open: AtomicUsize::new(0), stall_timeout, refused: LinePerMinute::default() }))
    }

    /// How many each of so many workers may have, before it accepts no further one.
    pub(super) fn most_per_worker(&self, workers: usize) -> usize {
        (self.0.most + RESERVE).div_ceil(workers)
    }

    /// Sets a new connection up, and counts it.
    pub(super) fn accept(&self, socket: &dyn Any, data: &mut Extensions) {
        if let Some(socket) = socket.downcast_ref::<TcpStream>() {
            self.set_up(socket);
        }
        data.insert(self.counted());
    }

    fn counted(&self) -> Connection {
        let before = self.0.open.fetch_add(1, Ordering::Relaxed);
        Connection { connections: self.clone(), is_in_reserve: before >= self.0.most }
    }

    fn set_up(&self, socket: &TcpStream) {
        let socket = SockRef::from(socket);
        let set = socket.set_send_buffer_size(SEND_BUFFER);
        // Who takes nothing, and says so each time it is asked, would otherwise never be given up.
        #[cfg(target_os = "linux")]
        let set = set.and(socket.set_tcp_user_timeout(Some(self.0.stall_timeout)));
        if let Err(error) = set {
            // The client may be gone already.
            tracing::debug!(error = %error, "a connection could not be set up");
        }
    }
}

impl Connection {
    /// Whether it may stay open without a request: with more than half of all taken, each is closed after its answer.
    fn may_idle(&self) -> bool {
        self.connections.0.open.load(Ordering::Relaxed) <= self.connections.0.most / 2
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

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers within the limits of connections: refuses what comes on one of the reserve and is no question about health,
/// and closes connections that would idle where there are few left.
pub(super) async fn within_limits<B>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<BoxBody>, Error>
where
    B: MessageBody + 'static,
{
    let is_refused = connection(request.request()).is_some_and(|it| it.is_in_reserve) && !is_about_health(&request);
    let mut answer = match connection(request.request()).filter(|_| is_refused) {
        Some(connection) => {
            let refusal = connection.refuse();
            request.extensions_mut().insert(Refused);
            request.error_response(refusal)
        }
        None => next.call(request).await?.map_into_boxed_body(),
    };
    if connection(answer.request()).is_some_and(|it| it.is_in_reserve || !it.may_idle()) {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(answer)
}

fn connection(request: &HttpRequest) -> Option<&Connection> {
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
        let cases = [(Some(64), 8), (Some(256), 70), (Some(1_024), 454), (Some(1_000_000), 16_384), (None, 16_384)];
        for (files, most) in cases {
            assert_eq!(most_connections(&options, files), most, "{files:?}");
        }
        let set = ServerOptions { max_connections: 7, ..options };
        assert_eq!(most_connections(&set, Some(64)), 7);
    }

    #[test]
    fn idle_connections_give_way_and_those_of_the_reserve_are_told_apart() {
        let connections = Connections::new(4, Duration::from_secs(60));
        let mut open: Vec<_> = (0..2).map(|_| connections.counted()).collect();
        assert!(open[0].may_idle());
        open.extend((2..5).map(|_| connections.counted()));
        assert!(!open[0].may_idle());
        assert_eq!(open.iter().filter(|it| it.is_in_reserve).count(), 1);
        open.truncate(1);
        assert!(open[0].may_idle() && !connections.counted().is_in_reserve);
    }
}
