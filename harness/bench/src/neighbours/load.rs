//! The provider and the clients of the long answers: a process of its own at the lowest priority, as if they were on other
//! machines. What they do with this one's processors is no delay of the server's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{ChildStdin, Command};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Case;
use crate::speaker::{Speaker, Speech};
use crate::stamp::Clock;
use crate::stream::PATIENCE;
use crate::target::{Killed, Target, spawn};
use crate::wire::Request;

/// A long answer: 900 KB.
const LONG: Speech = Speech { number: 0, deltas: 225, interval: Duration::ZERO, filling: 4_000, without_usage: false };
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const DONE: &str = "done";

/// What is asked of the process, in a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    address: SocketAddr,
    request: String,
    count: usize,
}

/// The process.
#[derive(Debug)]
pub(super) struct Load {
    /// Of its provider.
    pub(super) address: SocketAddr,
    stdin: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
    _child: Killed,
}

impl Load {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(std::env::current_exe()?).arg("neighbours-load");
        let mut child = spawn(&mut command)?;
        let stdin = child.0.stdin.take().context("no pipe")?;
        let stdout = BufReader::new(child.0.stdout.take().context("no pipe")?);
        let (tell, mut lines) = mpsc::unbounded_channel();
        // It ends with the process.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let address = lines.recv().await.context("the process of the long answers has ended")?.parse()?;
        Ok(Self { address, stdin, lines, _child: child })
    }

    /// Asks for all long answers at once, and waits for all of them.
    pub(super) async fn long_ones(&mut self, target: &Target, case: Case) -> anyhow::Result<()> {
        let speech = Speech { without_usage: case.without_usage, ..LONG };
        let Request { address, bytes } = target.request_of("neighbour", &speech.prompt());
        let order = Order { address, request: String::from_utf8(bytes.to_vec())?, count: case.long };
        writeln!(self.stdin, "{}", serde_json::to_string(&order)?)?;
        let answer = self.lines.recv().await.context("the process of the long answers has ended")?;
        ensure!(answer == DONE, "{answer}");
        Ok(())
    }
}

/// What the process does: it tells where its provider is, and obeys a line at a time until its input ends.
pub(crate) async fn run() -> anyhow::Result<()> {
    let speaker = Speaker::start(Clock::start()).await?;
    tell(&speaker.address.to_string())?;
    for line in std::io::stdin().lines() {
        let Order { address, request, count } = serde_json::from_str(&line?)?;
        let request = Request { address, bytes: request.into_bytes().into() };
        match ask_for(count, &request).await {
            Ok(()) => tell(DONE)?,
            Err(error) => tell(&format!("{error:#}"))?,
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the other process reads it")]
fn tell(line: &str) -> std::io::Result<()> {
    println!("{line}");
    std::io::stdout().flush()
}

async fn ask_for(count: usize, request: &Request) -> anyhow::Result<()> {
    let request = Arc::new(request.clone());
    let mut answers = JoinSet::new();
    for _ in 0..count {
        let request = Arc::clone(&request);
        answers.spawn(async move { long(&request).await });
    }
    answers.join_all().await.into_iter().collect()
}

/// Reads with as little work as can be.
async fn long(request: &Request) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(request.address).await?;
    socket.write_all(&request.bytes).await?;
    let (mut bytes, mut last, mut all) = (Vec::with_capacity(64 * 1024), Vec::new(), 0);
    while timeout(PATIENCE, socket.read_buf(&mut bytes)).await.context("a silent stream")?? > 0 {
        all += bytes.len();
        last.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST_CHUNK.len())..]);
        last.drain(..last.len().saturating_sub(LAST_CHUNK.len()));
        bytes.clear();
    }
    ensure!(last == LAST_CHUNK && all > LONG.deltas * LONG.filling, "a long answer ended early, after {all} bytes");
    Ok(())
}
