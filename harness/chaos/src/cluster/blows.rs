//! What is done to a server.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::network::Network;
use super::server::Server;
use crate::plan::{Blow, Strike};

/// How often one looks whether a server is still there.
const LOOK: Duration = Duration::from_millis(50);
/// How long one that was asked to end may take: it drains for a second and lets clients read for five more.
const ENDING: Duration = Duration::from_secs(15);
/// How often in a row a server may fail to start before the run is given up.
const MOST_FAILURES: u32 = 5;

impl Server {
    /// Carries out the strikes until that time. The server runs afterwards.
    pub(crate) async fn suffer(&mut self, strikes: &[Strike], until: Instant) -> anyhow::Result<()> {
        for Strike { after, hasty, blow } in strikes {
            while !hasty && self.target.door.read().is_none() && Instant::now() < until {
                self.stand_until(Instant::now() + LOOK).await?;
            }
            self.stand_until(until.min(Instant::now() + *after)).await?;
            if Instant::now() >= until {
                break;
            }
            match blow {
                Blow::Kill => {
                    self.tally.count("kills");
                    self.kill()?;
                    self.start(true)?;
                }
                Blow::Stop(time) => self.stop(*time).await?,
                Blow::Terminate(second) => self.terminate(*second).await?,
            }
        }
        self.stand_until(until).await
    }

    /// Waits, and starts it again should it end by itself.
    pub(crate) async fn stand_until(&mut self, time: Instant) -> anyhow::Result<()> {
        let mut failures = 0;
        loop {
            if let Some(process) = &mut self.process
                && let Some(status) = process.ended()?
            {
                if self.could_not_start() {
                    self.tally.count("starts_without_the_database");
                    sleep(LOOK).await;
                    self.start(true)?;
                    continue;
                }
                failures += 1;
                self.tally.count("ends_by_itself");
                let name = format!("server {}", self.number);
                let what = format!("{status}: {}", self.site.log_tail(self.number));
                self.witness.violation("a_server_ended_by_itself", &name, &what);
                anyhow::ensure!(failures < MOST_FAILURES, "server {} does not stay: {what}", self.number);
                self.start(true)?;
            }
            if Instant::now() >= time {
                return Ok(());
            }
            sleep_until(time.min(Instant::now() + LOOK)).await;
        }
    }

    /// Whether it ended before it listened, as a server without its database does.
    fn could_not_start(&self) -> bool {
        let listened = self.process.as_ref().is_some_and(|process| process.said().borrow().address.is_some());
        !listened && self.site.network(self.number).is_some_and(Network::is_or_was_out)
    }

    async fn stop(&mut self, time: Duration) -> anyhow::Result<()> {
        let Some(process) = &self.process else { return Ok(()) };
        self.tally.count("stops");
        process.signal("STOP")?;
        sleep(time).await;
        process.signal("CONT")
    }

    async fn terminate(&mut self, second: Option<Duration>) -> anyhow::Result<()> {
        let Some(process) = &mut self.process else { return Ok(()) };
        // One that has not come so far has nothing to drain, and would not be asked but ended.
        if process.said().borrow().address.is_none() {
            return Ok(());
        }
        self.tally.count("terminations");
        process.signal("TERM")?;
        let began = Instant::now();
        let mut second = second;
        while process.ended()?.is_none() {
            if second.is_some_and(|after| began.elapsed() >= after) {
                second = None;
                process.signal("TERM")?;
            }
            if began.elapsed() > ENDING {
                let what = format!("after {ENDING:?}: {}", self.site.log_tail(self.number));
                self.witness.violation("a_server_did_not_end", &format!("server {}", self.number), &what);
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        self.kill()?;
        self.start(false)
    }
}
