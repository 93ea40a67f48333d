//! One of the servers, over all its runs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::process::Process;
use super::recovery::{Recoveries, Start};
use super::site::Site;
use super::target::Target;
use crate::client::Door;
use crate::tally::Tally;
use crate::witness::Witness;

/// How long a server may take to listen, on a machine that has other things to do.
const STARTING: Duration = Duration::from_secs(30);

/// A server: a data directory, and the process that serves it now.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) number: usize,
    pub(super) site: Arc<Site>,
    pub(super) target: Target,
    pub(super) witness: Arc<Witness>,
    pub(super) tally: Arc<Tally>,
    recoveries: Arc<Recoveries>,
    pub(super) process: Option<Process>,
    watchers: Vec<AbortHandle>,
}

impl Server {
    pub(crate) fn new(number: usize, site: &Arc<Site>, (witness, tally): (&Arc<Witness>, &Arc<Tally>)) -> Self {
        Self {
            number,
            site: Arc::clone(site),
            target: Target::default(),
            witness: Arc::clone(witness),
            tally: Arc::clone(tally),
            recoveries: Arc::default(),
            process: None,
            watchers: Vec::new(),
        }
    }

    /// Where it listens.
    pub(crate) fn door(&self) -> Door {
        Arc::clone(&self.target.door)
    }

    /// What happens to it besides its blows.
    pub(crate) fn target(&self) -> Target {
        self.target.clone()
    }

    /// Where its recoveries are noted.
    pub(crate) fn with_recoveries(self, recoveries: &Arc<Recoveries>) -> Self {
        Self { recoveries: Arc::clone(recoveries), ..self }
    }

    /// Starts the process. It does not listen yet.
    pub(crate) fn start(&mut self, recovers: bool) -> anyhow::Result<()> {
        self.forget();
        let start = Start::now(recovers);
        let (mut command, log) = (self.site.command(self.number), self.site.log(self.number)?);
        let process = Process::start(&mut command, log, &self.target.log)?;
        *self.target.process.lock() = Some(process.id());
        let (door, mut said) = (self.door(), process.said());
        let opening = tokio::spawn(async move {
            if let Ok(said) = said.wait_for(|said| said.address.is_some()).await {
                *door.write() = said.address;
            }
        });
        let (recoveries, site, said) = (Arc::clone(&self.recoveries), Arc::clone(&self.site), process.said());
        let (node, tally) = (self.site.data(self.number).join("node"), Arc::clone(&self.tally));
        let timing = tokio::spawn(async move {
            // The very first start makes the name, and recovers nothing.
            let Ok(node) = std::fs::read_to_string(node) else { return };
            if recoveries.time(start, said, &node, &site.database).await.is_err() {
                tally.count("recoveries_not_timed");
            }
        });
        self.watchers = vec![opening.abort_handle(), timing.abort_handle()];
        self.process = Some(process);
        Ok(())
    }

    /// Waits until it listens.
    pub(crate) async fn listening(&self) -> anyhow::Result<()> {
        let mut said = self.process.as_ref().context("no process")?.said();
        let listens = said.wait_for(|said| said.over || said.address.is_some());
        let said = timeout(STARTING, listens).await.context("a server does not listen")??.clone();
        if said.address.is_none() {
            bail!("a server ended before it listened: {}", self.site.log_tail(self.number));
        }
        // Whoever waits for it may be quicker than the watcher that opens the door.
        *self.target.door.write() = said.address;
        Ok(())
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        *self.target.process.lock() = None;
        let killed = self.process.as_mut().map_or(Ok(()), Process::kill);
        self.forget();
        killed
    }

    /// Nobody finds it any more.
    pub(super) fn forget(&mut self) {
        *self.target.door.write() = None;
        *self.target.process.lock() = None;
        self.watchers.drain(..).for_each(|watcher| watcher.abort());
        self.process = None;
    }

    /// The first key, which is printed after the address.
    pub(crate) async fn first_key(&self) -> anyhow::Result<String> {
        for _ in 0..500 {
            let said = self.process.as_ref().context("no process")?.said().borrow().clone();
            if let Some(key) = said.key {
                return Ok(key);
            }
            sleep(Duration::from_millis(10)).await;
        }
        bail!("no key was printed")
    }
}
