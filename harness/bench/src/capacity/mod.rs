//! What each of the things that a server holds for its clients takes of its memory, and how many short responses it
//! gives in a second: what `docs/capacity.md` reckons with.

mod report;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::options::Options;
use crate::speaker::{Speaker, Speech};
use crate::stamp::Clock;
use crate::stream::{PATIENCE, Stream};
use crate::target::{Kind, Target};
use crate::wire::{self, Request};
use crate::{Results, progress};

/// How long memory may take to come to rest before it is looked at.
const REST: Duration = Duration::from_secs(3);
/// How many connections send nothing.
const IDLE: usize = 500;
/// How many streams are open, each with a delta every 100 ms.
const STREAMS: usize = 500;
/// How many clients ask for a long answer once more and read nothing of it.
const REPLAYS: usize = 50;
/// How many requests have sent all of their body but its end, and its bytes.
const BODIES: usize = 50;
const BODY_BYTES: usize = 400_000;
/// How many clients ask for one short response after the other, and for how long.
const CLIENTS: usize = 32;
const ASKING: Duration = Duration::from_secs(10);

/// So much memory more, in bytes, with so many of something.
#[derive(Debug, Clone, Copy)]
struct Growth {
    what: &'static str,
    count: usize,
    bytes: u64,
}

/// What was seen of a server.
#[derive(Debug)]
struct Seen {
    server: &'static str,
    at_rest: u64,
    growths: Vec<Growth>,
    responses_per_second: f64,
    cpu_ms_per_response: f64,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Results> {
    let mut all = Vec::new();
    for kind in options.kinds()? {
        let mut growths = Vec::new();
        let mut at_rest = 0;
        for what in ["idle connection", "stream", "replay that is not read", "body of 400 KB"] {
            // A server of its own for each: what one leaves is not the other's.
            progress(&format!("{}, {what}", kind.name()));
            let site = Site::start(options, kind).await?;
            at_rest = site.memory().await?;
            let (count, held) = site.hold(what).await?;
            growths.push(Growth { what, count, bytes: site.memory().await?.saturating_sub(at_rest) });
            drop(held);
        }
        progress(&format!("{}, short responses", kind.name()));
        let (responses_per_second, cpu_ms_per_response) = Site::start(options, kind).await?.rate().await?;
        all.push(Seen { server: kind.name(), at_rest, growths, responses_per_second, cpu_ms_per_response });
    }
    report::results(&all)
}

/// A server that has given a response, with its provider.
struct Site {
    target: Target,
    _speaker: Speaker,
    clock: Clock,
}

/// What is held open until it is dropped.
type Held = (Vec<TcpStream>, JoinSet<anyhow::Result<()>>);

impl Site {
    async fn start(options: &Options, kind: Kind) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let speaker = Speaker::start(clock).await?;
        let target = Target::start(options, kind, speaker.address)?;
        let site = Self { target, _speaker: speaker, clock };
        site.answer(short()).await?;
        Ok(site)
    }

    async fn memory(&self) -> anyhow::Result<u64> {
        sleep(REST).await;
        self.target.family.memory()
    }

    /// An answer from its beginning to its end; its id.
    async fn answer(&self, speech: Speech) -> anyhow::Result<String> {
        let mut stream = Stream::open(&self.target.request(&speech.prompt()), self.clock).await?;
        while stream.next().await?.is_some() {}
        stream.id.context("no id")
    }

    async fn hold(&self, what: &str) -> anyhow::Result<(usize, Held)> {
        let (mut sockets, mut streams) = (Vec::new(), JoinSet::new());
        match what {
            "idle connection" => {
                for _ in 0..IDLE {
                    sockets.push(TcpStream::connect(self.target.address).await?);
                }
            }
            "stream" => self.open_streams(&mut streams).await?,
            "body of 400 KB" => {
                for _ in 0..BODIES {
                    sockets.push(self.unfinished_body().await?);
                }
            }
            _ if self.target.kind == Kind::Unstored => return Ok((0, (sockets, streams))),
            _ => {
                let id = self.answer(long()).await?;
                for _ in 0..REPLAYS {
                    sockets.push(self.unread_replay(&id).await?);
                }
            }
        }
        Ok((sockets.len().max(streams.len()), (sockets, streams)))
    }

    async fn open_streams(&self, streams: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
        let speech = Speech { deltas: 36_000, interval: Duration::from_millis(100), ..Speech::default() };
        for _ in 0..STREAMS {
            let mut stream = Stream::open(&self.target.request(&speech.prompt()), self.clock).await?;
            stream.next().await?.context("no delta")?;
            streams.spawn(async move {
                while stream.next().await?.is_some() {}
                Ok(())
            });
        }
        Ok(())
    }

    async fn unfinished_body(&self) -> anyhow::Result<TcpStream> {
        let request = self.target.request(&wire::words(BODY_BYTES));
        let mut socket = TcpStream::connect(self.target.address).await?;
        socket.write_all(&request.bytes[..request.bytes.len() - 1]).await?;
        Ok(socket)
    }

    async fn unread_replay(&self, id: &str) -> anyhow::Result<TcpStream> {
        let path = format!("/v1/responses/{id}?stream=true");
        let mut socket = TcpStream::connect(self.target.address).await?;
        socket.write_all(&Request::get(self.target.address, &path, &self.target.key).bytes).await?;
        let mut first = [0; 12];
        timeout(PATIENCE, socket.read_exact(&mut first)).await.context("no answer")??;
        ensure!(first.starts_with(b"HTTP/1.1 200"), "a replay was refused");
        Ok(socket)
    }

    /// Short responses in a second by clients that ask for one after the other, and the processor time of one.
    async fn rate(&self) -> anyhow::Result<(f64, f64)> {
        let request = self.target.request(&short().prompt());
        let (begun, cpu) = (Instant::now(), self.target.family.cpu()?);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (request, clock) = (request.clone(), self.clock);
            clients.spawn(async move {
                let mut answers = 0_u32;
                while begun.elapsed() < ASKING {
                    let mut stream = Stream::open(&request, clock).await?;
                    while stream.next().await?.is_some() {}
                    answers += 1;
                }
                anyhow::Ok(answers)
            });
        }
        let counts: Vec<u32> = clients.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
        let answers = f64::from(counts.iter().sum::<u32>());
        let cpu = self.target.family.cpu()?.since(&cpu);
        Ok((answers / begun.elapsed().as_secs_f64(), cpu.as_secs_f64() * 1e3 / answers))
    }
}

fn short() -> Speech {
    Speech { deltas: 10, ..Speech::default() }
}

/// 900 KB.
fn long() -> Speech {
    Speech { deltas: 225, filling: 4_000, ..Speech::default() }
}
