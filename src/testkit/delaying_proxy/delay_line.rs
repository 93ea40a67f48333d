//! What is on its way in one direction, of all connections.

use std::{
    io,
    sync::{Arc, mpsc as blocking},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::Instant,
};

use super::{LineMode, ProxyState};

/// The most bytes of a chunk.
const CHUNK: usize = 16 * 1024;
/// The most chunks of one connection that are on their way in one direction; then no more is read.
const CHUNKS_UNDER_WAY: usize = 256;

#[derive(Debug, Clone, Copy)]
pub(super) enum Direction {
    There,
    Back,
}

/// Delivers each chunk when it is due. A thread that waits is exact to a fraction of a millisecond, which a timer of
/// the runtime is not.
#[derive(Debug, Clone)]
pub(super) struct DelayLine {
    sent: blocking::Sender<Delayed>,
    state: watch::Receiver<ProxyState>,
}

#[derive(Debug)]
struct Delayed {
    due: Instant,
    chunk: HeldBytes,
    to: mpsc::UnboundedSender<HeldBytes>,
}

/// Bytes, and the room that they take up until they are written.
#[derive(Debug)]
struct HeldBytes {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl DelayLine {
    pub(super) fn start(runtime: &Handle, direction: Direction, state: watch::Receiver<ProxyState>) -> Self {
        let (sent, under_way) = blocking::channel();
        let (runtime, changes) = (runtime.clone(), state.clone());
        thread::spawn(move || deliver(&runtime, direction, changes, &under_way));
        Self { sent, state }
    }

    /// Half of the round trip.
    fn delay(&self) -> Duration {
        self.state.borrow().round_trip / 2
    }

    fn send(&self, chunk: HeldBytes, to: &mpsc::UnboundedSender<HeldBytes>) {
        let delayed = Delayed { due: Instant::now() + self.delay(), chunk, to: to.clone() };
        // The thread ends when the proxy does.
        let _ended = self.sent.send(delayed);
    }
}

/// Delivers in the order of sending, until the proxy is dropped.
fn deliver(
    runtime: &Handle,
    direction: Direction,
    mut changes: watch::Receiver<ProxyState>,
    under_way: &blocking::Receiver<Delayed>,
) {
    let flows = |line: LineMode| match line {
        LineMode::Good | LineMode::Cut => true,
        LineMode::Mute => matches!(direction, Direction::There),
        LineMode::Stalled => false,
    };
    for Delayed { due, chunk, to } in under_way {
        while Instant::now() < due {
            thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
        if runtime.block_on(changes.wait_for(|state| flows(state.line))).is_err() {
            return;
        }
        // The connection may have been dropped.
        let _dropped = to.send(chunk);
    }
}

/// Passes on what one side sends, and then its end; calls `heard` whenever something came.
pub(super) async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    line: &DelayLine,
    heard: impl Fn(),
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(CHUNKS_UNDER_WAY));
    let (arrive, mut arrived) = mpsc::unbounded_channel();
    let read = async move {
        loop {
            let permit = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            let mut bytes = vec![0; CHUNK];
            let count = from.read(&mut bytes).await?;
            bytes.truncate(count);
            line.send(HeldBytes { bytes, _room: permit }, &arrive);
            if count == 0 {
                return Ok(());
            }
            heard();
        }
    };
    let write = async move {
        while let Some(chunk) = arrived.recv().await {
            if chunk.bytes.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&chunk.bytes).await?;
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(|_| ())
}
