//! A network between two parts that a test makes slow, silent or broken.

mod delay_line;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::watch,
};

use delay_line::{DelayLine, Direction, pass};

/// A TCP proxy that delays what it passes on.
///
/// Each byte is late by half of the round trip in each direction, and any number of bytes is on the way at once, as on
/// a long cable. It works on threads of its own, and ends with all its connections when this is dropped.
#[derive(Debug)]
pub struct DelayingProxy {
    address: SocketAddr,
    state: Arc<watch::Sender<ProxyState>>,
    round_trips: Arc<AtomicU64>,
}

#[derive(Debug, Clone, Copy)]
struct ProxyState {
    upstream: SocketAddr,
    round_trip: Duration,
    line: LineMode,
    /// How often the connections were dropped.
    cuts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineMode {
    Good,
    /// Passes on what clients send, and keeps the answers.
    Mute,
    /// Passes nothing on.
    Stalled,
    /// Drops each connection at once.
    Cut,
}

impl DelayingProxy {
    /// A proxy on a free port of this machine that passes everything on to `upstream`, with no delay.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("the listener's address");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let state = ProxyState { upstream, round_trip: Duration::ZERO, line: LineMode::Good, cuts: 0 };
        let state = Arc::new(watch::Sender::new(state));
        let changes = state.subscribe();
        let round_trips = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&round_trips);
        thread::spawn(move || serve(&runtime, listener, changes, &counter));
        Self { address, state, round_trips }
    }

    /// A proxy in front of the server that a URL names, and the URL that leads there by way of the proxy.
    ///
    /// # Panics
    /// If the URL does not have a host's address and a port, or there is no free port.
    #[must_use]
    pub fn in_front_of(url: &str) -> (Self, String) {
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?']).next().unwrap_or(url);
        let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
        let proxy = Self::start(server.parse().expect("an address with a port in the URL"));
        let url = url.replacen(server, &proxy.address.to_string(), 1);
        (proxy, url)
    }

    /// How many round trips there were so far on all connections: how often a client has sent something after the server
    /// had, or at the beginning.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets how much longer a round trip takes from now on.
    pub fn set_round_trip(&self, round_trip: Duration) {
        self.state.send_modify(|state| state.round_trip = round_trip);
    }

    /// Drops all connections, and has new ones lead to another server.
    pub fn redirect(&self, upstream: SocketAddr) {
        self.state.send_modify(|state| {
            state.upstream = upstream;
            state.cuts += 1;
        });
    }

    /// Drops all connections, and new ones at once.
    pub fn cut(&self) {
        self.state.send_modify(|state| {
            state.line = LineMode::Cut;
            state.cuts += 1;
        });
    }

    /// Accepts connections and holds everything back, in both directions.
    pub fn stall(&self) {
        self.state.send_modify(|state| state.line = LineMode::Stalled);
    }

    /// Passes on what clients send, and holds the answers back.
    pub fn mute(&self) {
        self.state.send_modify(|state| state.line = LineMode::Mute);
    }

    /// Passes everything on again, first what was held back.
    pub fn restore(&self) {
        self.state.send_modify(|state| state.line = LineMode::Good);
    }
}

/// Accepts connections until the proxy is dropped.
fn serve(
    runtime: &Runtime,
    listener: StdListener,
    mut changes: watch::Receiver<ProxyState>,
    round_trips: &Arc<AtomicU64>,
) {
    let there = DelayLine::start(runtime.handle(), Direction::There, changes.clone());
    let back = DelayLine::start(runtime.handle(), Direction::Back, changes.clone());
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener).expect("the listener");
        let state = changes.clone();
        let dropped = async { while changes.changed().await.is_ok() {} };
        tokio::select! {
            () = dropped => {}
            () = accept(listener, state, [there, back], round_trips) => {}
        }
    });
}

async fn accept(
    listener: TcpListener,
    state: watch::Receiver<ProxyState>,
    lines: [DelayLine; 2],
    round_trips: &Arc<AtomicU64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let (mut changes, lines, round_trips) = (state.clone(), lines.clone(), Arc::clone(round_trips));
        let now = *changes.borrow_and_update();
        if now.line == LineMode::Cut {
            continue;
        }
        tokio::spawn(async move {
            tokio::select! {
                // Whoever hangs up, and a server that is gone, is what some stories are for.
                _over = connect(client, now.upstream, &lines, &round_trips) => {}
                _dropped = changes.wait_for(|state| state.cuts != now.cuts) => {}
            }
        });
    }
}

async fn connect(
    mut client: TcpStream,
    upstream: SocketAddr,
    [there, back]: &[DelayLine; 2],
    round_trips: &AtomicU64,
) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((asked, answering), (answered, asking)) = (client.split(), server.split());
    let is_asking = AtomicBool::new(false);
    let asks = || {
        if !is_asking.swap(true, Ordering::Relaxed) {
            round_trips.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::try_join!(
        pass(asked, asking, there, asks),
        pass(answered, answering, back, || is_asking.store(false, Ordering::Relaxed))
    )?;
    Ok(())
}
