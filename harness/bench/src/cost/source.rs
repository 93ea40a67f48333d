//! The provider: Chat Completions with as little work as can be, and every stream in step with the measurement.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::plan::{Pace, Plan};
use crate::wire;

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
    wire::read_request(&mut socket).await?.context("no request")?;
    let number = numbers.fetch_add(1, Ordering::Relaxed);
    let delta = wire::delta(" tok~n");
    socket.write_all(wire::LAST_ANSWER).await?;
    socket.write_all(&delta).await?;
    let (plan, begun) = *stage.wait_for(|(_, stage)| *stage != Stage::First).await?;
    if let Stage::Deltas(at) = begun {
        send_deltas(&mut socket, &delta, plan, (at, number)).await?;
        stage.wait_for(|(_, stage)| *stage == Stage::End).await?;
    }
    socket.write_all(&wire::ending(true)).await?;
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
