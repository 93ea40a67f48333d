//! A run: the servers, the blows and the clients side by side, and then the check.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::check::{Check, Findings};
use crate::client::{Http, Story, visit};
use crate::cluster::{Recoveries, Server, Site};
use crate::options::Options;
use crate::plan::{Plan, Shape};
use crate::provider::Provider;
use crate::tally::Tally;
use crate::witness::Witness;

/// The most clients at a time.
const MOST_CLIENTS: usize = 100;
/// How long clients go on after the last blow.
const LAST_VISITS: Duration = Duration::from_secs(4);

/// All that a run knows of itself.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) shape: Shape,
    pub(crate) plan: Arc<Plan>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) recoveries: Arc<Recoveries>,
    pub(crate) provider: Arc<Provider>,
}

impl Run {
    pub(crate) async fn new(options: &Options) -> anyhow::Result<Self> {
        let shape = options.shape();
        let plan = Arc::new(Plan::of(options.seed, shape));
        let provider = Arc::new(Provider::start(Arc::clone(&plan)).await?);
        Ok(Self { shape, plan, provider, witness: Arc::default(), tally: Arc::default(), recoveries: Arc::default() })
    }

    /// Carries out the plan and checks what it led to. The servers have ended when this returns.
    pub(crate) async fn carry_out(&self, site: &Arc<Site>) -> anyhow::Result<Findings> {
        let mut servers: Vec<Server> = (0..self.shape.servers)
            .map(|number| Server::new(number, site, (&self.witness, &self.tally)).with_recoveries(&self.recoveries))
            .collect();
        // One after the other: the first one makes the key ring.
        for server in &mut servers {
            server.start(false)?;
            server.listening().await?;
        }
        let key = servers.first().context("no server")?.first_key().await?;
        let keys = self.make_users(site, key).await?;
        let http = Http::new(keys, servers.iter().map(Server::door).collect())?;
        let targets: Vec<_> = servers.iter().map(Server::target).collect();
        let began = Instant::now();
        let until = began + self.shape.duration;
        let strikes = servers.iter_mut().zip(&self.plan.strikes).map(|(server, strikes)| async move {
            server.suffer(strikes, until).await?;
            server.stand_until(until + LAST_VISITS).await
        });
        tokio::try_join!(
            try_join_all(strikes),
            self.visits(began, &http),
            self.cuts(began),
            self.disturb(began, site, &targets)
        )?;
        let check = Check {
            plan: Arc::clone(&self.plan),
            witness: Arc::clone(&self.witness),
            tally: Arc::clone(&self.tally),
            provider: Arc::clone(&self.provider),
            http,
            database: site.database.clone(),
        };
        for server in &servers {
            server.listening().await?;
        }
        check.settle().await?;
        let earlier = check.rows().await?;
        for server in &mut servers {
            server.kill()?;
            server.start(false)?;
            server.listening().await?;
        }
        check.all(&earlier).await
    }

    async fn visits(&self, began: Instant, http: &Http) -> anyhow::Result<()> {
        let story = Arc::new(Story {
            witness: Arc::clone(&self.witness),
            tally: Arc::clone(&self.tally),
            http: http.clone(),
            over: began + self.shape.duration + LAST_VISITS,
            ended: parking_lot::Mutex::default(),
        });
        let places = Arc::new(Semaphore::new(MOST_CLIENTS));
        let mut visits = JoinSet::new();
        for number in 0..self.plan.visits.len() {
            let Some(at) = self.plan.visits.get(number).map(|visit| visit.at) else { break };
            sleep_until(began + at).await;
            let place = Arc::clone(&places).acquire_owned().await?;
            let (story, plan) = (Arc::clone(&story), Arc::clone(&self.plan));
            visits.spawn(async move {
                if let Some(planned) = plan.visits.get(number) {
                    visit(&story, planned).await;
                }
                drop(place);
            });
            while visits.try_join_next().transpose()?.is_some() {}
        }
        while let Some(ended) = visits.join_next().await {
            ended?;
        }
        Ok(())
    }

    async fn cuts(&self, began: Instant) -> anyhow::Result<()> {
        for (at, cut) in &self.plan.cuts {
            sleep_until(began + *at).await;
            self.tally.add("cuts", self.provider.cut(*cut) as u64);
        }
        Ok(())
    }
}
