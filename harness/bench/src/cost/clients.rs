//! The clients: they count deltas and do nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::wire::Request;

/// How many connections are opened at a time: fewer than a queue of connections holds.
const OPENING: usize = 64;
const PATIENCE: Duration = Duration::from_secs(60);

/// What every delta has once, and nothing else before the end: a single byte, since a proxy may cut a stream
/// into other chunks, with their lengths between them, wherever it likes.
pub(crate) const MARK: u8 = b'~';

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Clients with an open stream each.
#[derive(Debug)]
pub(crate) struct Clients {
    tasks: JoinSet<anyhow::Result<()>>,
    deltas: Arc<AtomicUsize>,
}

impl Clients {
    pub(crate) fn open(count: usize, request: &Request) -> Self {
        let (deltas, opening) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(OPENING)));
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            tasks.spawn(read(request.clone(), Arc::clone(&deltas), Arc::clone(&opening)));
        }
        Self { tasks, deltas }
    }

    /// Waits until all of them together have got so many deltas.
    pub(crate) async fn wait_for(&mut self, deltas: usize) -> anyhow::Result<()> {
        let (begun, mut look) = (Instant::now(), interval(Duration::from_millis(2)));
        while self.deltas.load(Ordering::Relaxed) < deltas {
            look.tick().await;
            if let Some(ended) = self.tasks.try_join_next() {
                ended?.context("a stream failed")?;
            }
            let got = self.deltas.load(Ordering::Relaxed);
            ensure!(begun.elapsed() < PATIENCE, "{got} of {deltas} deltas arrived in {PATIENCE:?}");
        }
        let got = self.deltas.load(Ordering::Relaxed);
        ensure!(got == deltas, "{got} deltas arrived instead of {deltas}");
        Ok(())
    }

    /// Waits until every answer has ended.
    pub(crate) async fn wait_for_ends(mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.tasks.join_next().await {
            ended?.context("a stream failed")?;
        }
        Ok(())
    }
}

async fn read(request: Request, deltas: Arc<AtomicUsize>, opening: Arc<Semaphore>) -> anyhow::Result<()> {
    let mut opening = Some(opening.acquire_owned().await?);
    let mut socket = TcpStream::connect(request.address).await?;
    socket.set_nodelay(true)?;
    socket.write_all(&request.bytes).await?;
    let (mut bytes, mut last) = (Vec::with_capacity(64 * 1024), Vec::new());
    while socket.read_buf(&mut bytes).await? > 0 {
        let counted = bytes.iter().filter(|byte| **byte == MARK).count();
        last.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST_CHUNK.len())..]);
        last.drain(..last.len().saturating_sub(LAST_CHUNK.len()));
        bytes.clear();
        if counted > 0 {
            deltas.fetch_add(counted, Ordering::Relaxed);
            opening = None;
        }
    }
    ensure!(opening.is_none() && last == LAST_CHUNK, "a stream ended early");
    Ok(())
}
