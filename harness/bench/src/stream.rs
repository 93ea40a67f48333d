//! A client that knows when each delta of its stream was written, and when it came.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::lines::Lines;
use crate::stamp::{Clock, stamps};
use crate::wire::Request;

/// How long a stream may be silent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// What the events with a delta have, of either API: what Antiphon says at the end has the whole text again.
const DELTAS: [&str; 2] = ["\"response.output_text.delta\"", "\"chat.completion.chunk\""];
const CREATED: &str = "\"response.created\"";

/// A delta that has arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delta {
    pub(crate) written: Duration,
    pub(crate) arrived: Duration,
}

impl Delta {
    /// How long it was on its way.
    pub(crate) fn took(self) -> Duration {
        self.arrived.saturating_sub(self.written)
    }
}

/// A streamed answer that is being read.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    clock: Clock,
    /// When the request was sent; the connection was there.
    pub(crate) sent: Duration,
    /// The response's id, once it has been told.
    pub(crate) id: Option<String>,
    lines: Lines,
    deltas: VecDeque<Delta>,
}

impl Stream {
    pub(crate) async fn open(request: &Request, clock: Clock) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(request.address).await?;
        socket.set_nodelay(true)?;
        let sent = clock.now();
        socket.write_all(&request.bytes).await?;
        Ok(Self { socket, clock, sent, id: None, lines: Lines::default(), deltas: VecDeque::new() })
    }

    /// The next delta; none when the answer has ended as it should.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Delta>> {
        let mut bytes = Vec::with_capacity(16 * 1024);
        while self.deltas.is_empty() && !self.lines.ended() {
            let read = timeout(PATIENCE, self.socket.read_buf(&mut bytes)).await.context("a silent stream")??;
            let arrived = self.clock.now();
            ensure!(read > 0, "a stream was cut");
            for byte in bytes.drain(..) {
                if let Some(line) = self.lines.take(byte)? {
                    self.hear(&line, arrived)?;
                }
            }
        }
        Ok(self.deltas.pop_front())
    }

    fn hear(&mut self, line: &str, arrived: Duration) -> anyhow::Result<()> {
        let Some(data) = line.strip_prefix("data: ") else { return Ok(()) };
        if DELTAS.iter().any(|delta| data.contains(delta)) {
            self.deltas.extend(stamps(data).map(|written| Delta { written, arrived }));
        } else if data.contains(CREATED) {
            let event: serde_json::Value = serde_json::from_str(data)?;
            self.id = event["response"]["id"].as_str().map(str::to_owned);
        }
        Ok(())
    }
}
