//! Carrying out what happens beside the blows.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::Keys;
use crate::cluster::{Site, Target};
use crate::plan::Trouble;
use crate::run::Run;
use crate::witness::Deletion;

/// How often a command beside the servers is tried: the database is busy, or a server that it shares a file with dies.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// After which time a part of a server counts as hung, as the servers are configured.
pub(crate) const HANG_AFTER: Duration = Duration::from_secs(3);

/// The name of a user who is going to be deleted.
fn name(user: usize) -> String {
    format!("leaver-{user}")
}

impl Run {
    /// Makes the users who are going to be deleted; the keys of all.
    pub(crate) async fn make_users(&self, site: &Site, stays: String) -> anyhow::Result<Keys> {
        let make = |user| async move {
            let name = name(user);
            site.administer(&["users", "create", &name]).await?;
            site.administer(&["keys", "create", "--name", "only", "--user", &name]).await
        };
        let mut leave = Vec::with_capacity(self.plan.users);
        for user in 0..self.plan.users {
            leave.push(make(user).await?);
        }
        Ok(Keys { stays, leave })
    }

    /// Carries out everything that happens beside the blows. At its end nothing of it is left.
    pub(crate) async fn disturb(&self, began: Instant, site: &Site, targets: &[Target]) -> anyhow::Result<()> {
        let all = self.plan.disturbances.iter().map(|disturbance| async move {
            sleep_until(began + disturbance.at).await;
            self.carry_out_trouble(disturbance.trouble, site, targets).await
        });
        try_join_all(all).await?;
        site.networks(None).for_each(|network| network.set_round_trip(Duration::ZERO));
        Ok(())
    }

    async fn carry_out_trouble(&self, trouble: Trouble, site: &Site, targets: &[Target]) -> anyhow::Result<()> {
        match trouble {
            Trouble::RoundTrip { server, time } => {
                self.tally.count("changes_of_round_trips");
                site.network(server).context("no network")?.set_round_trip(time);
            }
            Trouble::Outage { server, kind, lasts } => {
                self.tally.count("outages");
                site.networks(server).for_each(|network| network.break_off(kind));
                sleep(lasts).await;
                site.networks(server).for_each(|network| network.restore());
            }
            Trouble::Rotation => {
                if self.administer(site, &["vault", "rotate"]).await {
                    self.tally.count("rotations");
                }
            }
            Trouble::UserDeletion(user) => self.delete_user(site, user).await,
            Trouble::StalledLog { server, lasts } => {
                self.tally.count("stalled_logs");
                targets.get(server).context("no such server")?.stall_log(lasts).await;
            }
            Trouble::BlockedArbiter { server, lasts } => {
                let target = targets.get(server).context("no such server")?;
                let hang = (lasts >= HANG_AFTER).then(|| self.witness.hangs());
                if site.takes_faults && target.block_arbiter(lasts).await? {
                    self.tally.count(if hang.is_some() { "hung_arbiters" } else { "blocked_arbiters" });
                }
                hang.into_iter().for_each(|hang| self.witness.goes_on(hang));
            }
        }
        Ok(())
    }

    async fn delete_user(&self, site: &Site, user: usize) {
        self.witness.delete_user(user, Deletion::Asked);
        if self.administer(site, &["users", "delete", &name(user)]).await {
            self.tally.count("deleted_users");
            self.witness.delete_user(user, Deletion::Done);
        }
    }

    /// Runs a command until it succeeds; whether it did.
    async fn administer(&self, site: &Site, arguments: &[&str]) -> bool {
        let mut told = String::new();
        for attempt in 0..TRIES {
            match site.administer(arguments).await {
                Ok(_) => return true,
                // An earlier try did it, and its answer was lost.
                Err(error) if attempt > 0 && format!("{error:#}").contains("no such user") => return true,
                Err(error) => told = format!("{error:#}"),
            }
            sleep(PAUSE).await;
        }
        self.witness.violation("a_command_failed", &arguments.join(" "), &told);
        false
    }
}
