//! How long it takes until a server that was killed listens again, and until what it left behind has ended.

use std::time::Duration;

use antiphon::{Clock as _, SystemClock};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::process::Said;
use crate::record::Record;

const PAUSE: Duration = Duration::from_millis(5);

/// The times of all starts after a kill.
#[derive(Debug, Default)]
pub(crate) struct Recoveries {
    listening: Mutex<Vec<Duration>>,
    settled: Mutex<Vec<Duration>>,
}

/// A start that is being timed.
#[derive(Debug)]
pub(super) struct Start {
    began: Instant,
    began_at: i64,
    /// It comes after a kill.
    pub(super) recovers: bool,
}

impl Start {
    pub(super) fn now(recovers: bool) -> Self {
        Self { began: Instant::now(), began_at: SystemClock.now().as_micros(), recovers }
    }
}

impl Recoveries {
    /// Times a start, unless it is cut short.
    pub(super) async fn time(
        &self,
        start: Start,
        mut said: watch::Receiver<Said>,
        node: &str,
        database: &str,
    ) -> anyhow::Result<()> {
        let told = said.wait_for(|said| said.address.is_some() || said.over).await?.clone();
        if told.address.is_none() || !start.recovers {
            return Ok(());
        }
        self.listening.lock().push(start.began.elapsed());
        // Not before: whoever opens SQLite first after a crash recovers its file, and that is to be the server.
        let record = Record::open(database).await?;
        let mut left = record.interrupted(node, start.began_at).await?;
        while left > 0 {
            sleep(PAUSE).await;
            left = record.interrupted(node, start.began_at).await?;
        }
        self.settled.lock().push(start.began.elapsed());
        record.close().await
    }

    /// Milliseconds.
    pub(crate) fn as_json(&self) -> Value {
        json!({ "listening": summary(&self.listening.lock()), "all_ended": summary(&self.settled.lock()) })
    }
}

fn summary(times: &[Duration]) -> Value {
    let mut times: Vec<u64> = times.iter().map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).collect();
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    json!({ "times": times.len(), "p50": at(50), "p99": at(99), "max": times.last() })
}
