//! What is left of many live streams when one of two servers is killed and does not come back: how soon the other one
//! has ended all of them.

mod report;

use std::time::Duration;

use antiphon::testkit::postgres::Postgres;
use antiphon::{Clock as _, SystemClock};
use anyhow::{Context as _, ensure};

use crate::options::Options;
use crate::recovery::{interrupted_since, open};
use crate::speaker::Speaker;
use crate::stamp::Clock;
use crate::target::{SharedDatabase, Target};
use crate::{Results, progress};

/// The lease of the servers, in seconds: the default.
const LEASE: u64 = 15;
/// How long the streams run before their server is killed. The other one has a lease of its own by then, without a gap.
const RUNNING: Duration = Duration::from_secs(LEASE + 5);

/// What was seen of two servers.
#[derive(Debug)]
struct Seen {
    streams: usize,
    /// From the kill until each response had ended.
    ended: Vec<Duration>,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Results> {
    let postgres = Postgres::start();
    let mut all = Vec::new();
    for run in 1..=options.runs {
        for streams in options.streams() {
            progress(&format!("run {run}: {streams} streams"));
            let database = SharedDatabase::new(postgres.create_database())?;
            let clock = Clock::start();
            let speaker = Speaker::start(clock).await?;
            let mut first = Target::start_on(options, &database, speaker.address, "first")?;
            let _second = Target::start_on(options, &database, speaker.address, "second")?;
            let (live, mut clients) = open(&first, streams, clock).await.context("the streams")?;
            tokio::time::sleep(RUNNING).await;
            let killed_at = SystemClock.now().as_micros();
            first.kill()?;
            while clients.join_next().await.is_some() {}
            let ended = interrupted_since(&database.url, killed_at).await?;
            ensure!(ended.len() == live.len(), "{} of {streams} responses were interrupted", ended.len());
            all.push(Seen { streams, ended });
        }
    }
    report::results(&all)
}
