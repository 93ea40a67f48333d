//! A provider that says what its prompt asks for, stamped, and sees when nobody listens any more.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::stamp::{Clock, stamp};
use crate::wire;

/// What a stream has in it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Speech {
    /// What its closing is told by.
    pub(crate) number: u64,
    /// The first among them.
    pub(crate) deltas: usize,
    /// The time between two of them.
    pub(crate) interval: Duration,
    /// The bytes of each that follow its stamp.
    pub(crate) filling: usize,
    /// Whether the end says nothing of tokens.
    pub(crate) without_usage: bool,
}

impl Speech {
    const BEGINNING: &str = "Speak: ";

    /// The prompt that asks for it.
    pub(crate) fn prompt(self) -> String {
        let Self { number, deltas, interval, filling, without_usage } = self;
        let (micros, without_usage) = (interval.as_micros(), u8::from(without_usage));
        format!("{}{number} {deltas} {micros} {filling} {without_usage} .", Self::BEGINNING)
    }

    fn asked_for(request: &str) -> Option<Self> {
        let (_, numbers) = request.split_once(Self::BEGINNING)?;
        let mut numbers = numbers.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (number, deltas, micros) = (next()?, usize::try_from(next()?).ok()?, next()?);
        let (filling, without_usage) = (usize::try_from(next()?).ok()?, next()? == 1);
        Some(Self { number, deltas, interval: Duration::from_micros(micros), filling, without_usage })
    }
}

/// A stream's socket was closed before the stream had ended.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Of its speech.
    pub(crate) number: u64,
    /// When the provider saw it.
    pub(crate) at: Duration,
}

/// A provider on a port of its own, and what it tells.
#[derive(Debug)]
pub(crate) struct Speaker {
    pub(crate) address: SocketAddr,
    pub(crate) closed: mpsc::UnboundedReceiver<Closed>,
}

impl Speaker {
    pub(crate) async fn start(clock: Clock) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (tell, closed) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            // A stream that fails is missed by its client, and with it the measurement fails.
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, clock, tell.clone()));
            }
        });
        Ok(Self { address, closed })
    }
}

/// Answers one request after the other, as providers do, so that a connection can be used again.
async fn serve(mut socket: TcpStream, clock: Clock, closed: mpsc::UnboundedSender<Closed>) -> anyhow::Result<()> {
    socket.set_nodelay(true)?;
    while let Some(request) = wire::read_request(&mut socket).await? {
        let speech = Speech::asked_for(&request).context("a prompt that asks for nothing")?;
        socket.write_all(wire::ANSWER).await?;
        if let Some(at) = speak(&mut socket, speech, clock).await? {
            return Ok(closed.send(Closed { number: speech.number, at })?);
        }
        socket.write_all(&wire::ending(!speech.without_usage)).await?;
    }
    Ok(())
}

/// When the other side has closed the socket, if that was before the last delta.
async fn speak(socket: &mut TcpStream, speech: Speech, clock: Clock) -> anyhow::Result<Option<Duration>> {
    let (mut next, mut nothing) = (Instant::now(), [0]);
    let filling = wire::words(speech.filling);
    for delta in 0..speech.deltas {
        // The first goes at once: a timer, even one for now, takes up to a millisecond.
        if delta > 0 {
            next += speech.interval;
            tokio::select! {
                biased;
                read = socket.read(&mut nothing) => {
                    let at = clock.now();
                    // An error is a reset: something was on its way to the one who closed.
                    ensure!(read.unwrap_or(0) == 0, "a second request");
                    return Ok(Some(at));
                }
                () = sleep_until(next) => {}
            }
        }
        if socket.write_all(&wire::delta(&(stamp(clock.now()) + &filling))).await.is_err() {
            return Ok(Some(clock.now()));
        }
    }
    Ok(None)
}
