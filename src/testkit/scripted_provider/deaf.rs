//! Addresses at which no provider answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a connection to this machine may take before its queue counts as full.
const QUEUE_IS_FULL: Duration = Duration::from_millis(200);

/// A base URL whose port refuses connections, as long as the process lives.
///
/// # Panics
/// If there is no free port.
#[must_use]
pub fn refused_base_url() -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let address = socket.local_addr().expect("the socket's address");
    // It listens to nobody, and nobody else gets its port.
    Box::leak(Box::new(socket));
    format!("http://{address}/v1")
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
