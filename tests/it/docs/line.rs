//! A line to a server that loses what it carries.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{self, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A line in front of a server. It is gone when this is dropped.
pub(super) struct Line {
    pub(super) url: String,
    cuts: Arc<AtomicUsize>,
    carrier: JoinHandle<()>,
}

impl Line {
    /// A line whose first connections are cut after so many bytes of the server's: at 0 the request arrives, and the
    /// answer is lost. The connections that follow are whole.
    pub(super) async fn to(server: &str, losses: &'static [usize]) -> Self {
        let server: SocketAddr = server.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cuts = Arc::new(AtomicUsize::new(0));
        let carrier = tokio::spawn(carry(listener, server, losses, Arc::clone(&cuts)));
        Self { url, cuts, carrier }
    }

    /// How many connections were cut so far.
    pub(super) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

async fn carry(listener: TcpListener, server: SocketAddr, losses: &'static [usize], cuts: Arc<AtomicUsize>) {
    let mut losses = losses.iter();
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let (loss, cuts) = (losses.next(), Arc::clone(&cuts));
        tokio::spawn(async move {
            match loss {
                // How it ends is the client's or the server's own affair.
                None => drop(io::copy_bidirectional(&mut client, &mut server).await),
                Some(most) => {
                    if lossy(client, server, *most).await.unwrap_or(false) {
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        });
    }
}

/// Carries until the server has sent more than that; whether it has.
async fn lossy(client: TcpStream, server: TcpStream, most: usize) -> io::Result<bool> {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let asks = async {
        io::copy(&mut from_client, &mut to_server).await?;
        Ok(false)
    };
    let answers = async {
        let (mut left, mut bytes) = (most, vec![0; 4096]);
        loop {
            let count = from_server.read(&mut bytes).await?;
            if count == 0 {
                return Ok(false);
            }
            let carried = count.min(left);
            to_client.write_all(&bytes[..carried]).await?;
            left -= carried;
            if carried < count {
                return Ok(true);
            }
        }
    };
    tokio::select! {
        ended = asks => ended,
        ended = answers => ended,
    }
}
