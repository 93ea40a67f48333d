//! The provider: Chat Completions with as little work as can be, and every stream in step with the measurement.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::options::{Pace, Plan};

/// The longest request that is read.
const MOST_OF_A_REQUEST: usize = 64 * 1024;

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";

/// How far the streams may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Stage {
    /// Each sends its first delta and waits.
    First,
    /// Each sends its other deltas, from this moment on, and waits.
    Deltas(Instant),
    /// Each ends.
    End,
}

/// A provider on a port of its own.
#[derive(Debug)]
pub(crate) struct Source {
    address: SocketAddr,
    stage: Arc<watch::Sender<(Plan, Stage)>>,
    streams: Arc<AtomicUsize>,
}

impl Source {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let stage = Arc::new(watch::Sender::new((Pace::Unpaced.plan(1), Stage::First)));
        let streams = Arc::new(AtomicUsize::new(0));
        let (stages, numbers) = (Arc::clone(&stage), Arc::clone(&streams));
        tokio::spawn(async move {
            // A stream that fails is missed by its client, and with it the measurement fails.
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, stages.subscribe(), Arc::clone(&numbers)));
            }
        });
        Ok(Self { address, stage, streams })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// New streams follow this plan, up to their first delta.
    pub(crate) fn prepare(&self, plan: Plan) {
        self.streams.store(0, Ordering::Relaxed);
        self.stage.send_replace((plan, Stage::First));
    }

    pub(crate) fn go_on(&self, next: Stage) {
        self.stage.send_modify(|(_, stage)| *stage = next);
    }
}

async fn serve(
    mut socket: TcpStream,
    mut stage: watch::Receiver<(Plan, Stage)>,
    numbers: Arc<AtomicUsize>,
) -> anyhow::Result<()> {
    socket.set_nodelay(true)?;
    read_request(&mut socket).await?;
    let number = numbers.fetch_add(1, Ordering::Relaxed);
    let delta = chunk(r#"{"index":0,"delta":{"content":" tok~n"},"finish_reason":null}"#);
    socket.write_all(HEAD).await?;
    socket.write_all(&delta).await?;
    let (plan, begun) = *stage.wait_for(|(_, stage)| *stage != Stage::First).await?;
    if let Stage::Deltas(at) = begun {
        send_deltas(&mut socket, &delta, plan, (at, number)).await?;
        stage.wait_for(|(_, stage)| *stage == Stage::End).await?;
    }
    socket.write_all(&chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#)).await?;
    let usage = r#"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}"#;
    socket.write_all(&framed(&format!("{usage}\n\ndata: [DONE]\n\n"))).await?;
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(socket.shutdown().await?)
}

async fn send_deltas(
    socket: &mut TcpStream,
    delta: &[u8],
    plan: Plan,
    (at, number): (Instant, usize),
) -> std::io::Result<()> {
    let out_of_step = plan.interval.mul_f64(number as f64 / plan.streams as f64);
    let mut next = at + out_of_step;
    for _ in 0..plan.deltas {
        if plan.pace == Pace::Paced {
            sleep_until(next).await;
            next += plan.interval;
        }
        socket.write_all(delta).await?;
    }
    Ok(())
}

async fn read_request(socket: &mut TcpStream) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    loop {
        ensure!(socket.read_buf(&mut bytes).await? > 0 && bytes.len() < MOST_OF_A_REQUEST, "no request");
        let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if bytes.len() >= head + 4 + length.unwrap_or(0) {
            return Ok(());
        }
    }
}

/// A chunk as popular servers write it.
fn chunk(choice: &str) -> Vec<u8> {
    let object = r#""id":"chatcmpl-A1b2C3d4E5f6","object":"chat.completion.chunk","created":1760000000"#;
    framed(&format!("data: {{{object},\"model\":\"bench\",\"choices\":[{choice}]}}\n\n"))
}

fn framed(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n", body.len()).into_bytes()
}
