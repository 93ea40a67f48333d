//! What is between a browser and the server, and can fail.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{copy, copy_bidirectional, sink},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the proxy does with connections. A change closes those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// Passes everything on.
    Good(SocketAddr),
    /// Passes requests on, and keeps every answer for itself.
    Mute(SocketAddr),
    /// Closes each connection at once.
    Cut,
}

/// A TCP proxy on a port that stays the same while the server behind it is started anew.
pub(super) struct Proxy {
    pub(super) url: String,
    line: Arc<watch::Sender<Line>>,
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let line = Arc::new(watch::Sender::new(Line::Good(server)));
        tokio::spawn(accept(listener, Arc::clone(&line)));
        Self { url, line }
    }

    pub(super) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn accept(listener: TcpListener, line: Arc<watch::Sender<Line>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let mut changes = line.subscribe();
        let now = *changes.borrow_and_update();
        tokio::spawn(async move {
            tokio::select! {
                () = pass(socket, now) => {}
                _ = changes.changed() => {}
            }
        });
    }
}

async fn pass(mut browser: TcpStream, line: Line) {
    match line {
        Line::Cut => {}
        Line::Good(server) => {
            // A server that is gone, and whoever hangs up, is what some stories are for.
            let Ok(mut server) = TcpStream::connect(server).await else { return };
            let _over = copy_bidirectional(&mut browser, &mut server).await;
        }
        Line::Mute(server) => {
            let Ok(mut server) = TcpStream::connect(server).await else { return };
            let ((mut asked, _kept), (mut answered, mut asking)) = (browser.split(), server.split());
            let mut nowhere = sink();
            let _over = tokio::join!(copy(&mut asked, &mut asking), copy(&mut answered, &mut nowhere));
        }
    }
}
