//! Addresses at which no provider answers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a connection to this machine may take before its queue counts as full.
const QUEUE_IS_FULL: Duration = Duration::from_millis(200);

/// A base URL whose port refuses connections.
///
/// # Panics
/// If there is no free port.
#[must_use]
pub fn refused_base_url() -> String {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    format!("http://{}/v1", listener.local_addr().expect("the listener's address"))
}

/// A server whose queue of connections is full and never gets shorter: connecting to it hangs.
#[derive(Debug)]
pub struct DeafServer {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl DeafServer {
    /// Starts it and fills its queue.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("the listener's address");
        let mut queue = Vec::new();
        while let Ok(connection) = timeout(QUEUE_IS_FULL, TcpStream::connect(address)).await {
            queue.push(connection.expect("a connection in the queue"));
        }
        Self { address, _listener: listener, _queue: queue }
    }

    /// The address that goes in front of `/chat/completions`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}
