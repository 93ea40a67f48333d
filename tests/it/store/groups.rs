//! Groups of many entries on a network that is slow: what they cost does not grow with them.

use std::{sync::Arc, time::Duration};

use antiphon::{
    Antiphon,
    actors::{ProviderOptions, Written},
    admission::Model,
    domain::{Idempotency, Target},
    protocol::{CreateResponse, ItemId, Status, Usage},
    provider::{Eliza, GateLimits},
    store::{
        AdmissionRecord, CommitOutcome, EndingRecord, GroupCommit as _, ItemSide, JournalEntry, SqlStore, StoreOptions,
        StoredItem, UsageRecord,
    },
    testkit::{DelayingProxy, FlakyStore},
    vault::{KeyRing, Vault},
};
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::{
    TestDatabase,
    responses::{admit, append, ending, live},
};

/// What a group may cost, with the beginning and the commit of its transaction.
const MOST_ROUND_TRIPS: u64 = 10;

/// A response with an item and an idempotency key.
fn whole() -> AdmissionRecord {
    let mut admission = live();
    let mut key = [0; 32];
    key[..16].copy_from_slice(&admission.row.id.uuid().into_bytes());
    admission.idempotency = Some(Idempotency { key, fingerprint: [0; 32] });
    admission.items = vec![item(&admission, ItemSide::Input)];
    admission
}

fn item(of: &AdmissionRecord, side: ItemSide) -> StoredItem {
    let (response, content) = (of.row.id, Bytes::from_static(b"some ciphertext"));
    StoredItem { response, side, position: 0, id: ItemId::from("msg_1".to_owned()), content }
}

fn whole_ending(admission: &AdmissionRecord) -> JournalEntry {
    let mut ending = ending(admission, "the end");
    ending.items = vec![item(admission, ItemSide::Output)];
    ending.usage = vec![usage(admission, &ending)];
    JournalEntry::End(Box::new(ending))
}

fn usage(of: &AdmissionRecord, ending: &EndingRecord) -> UsageRecord {
    UsageRecord {
        response: of.row.id,
        user: of.row.user,
        turn: 1,
        provider: "a provider".to_owned(),
        model: of.row.model.clone(),
        usage: Usage::default(),
        estimated: true,
        at: ending.ended_at,
    }
}

#[tokio::test]
async fn a_mixed_group_takes_ten_round_trips_whatever_its_size() {
    let database = TestDatabase::postgres();
    let direct = database.store().await;
    let (proxy, url) = DelayingProxy::in_front_of(&database.url);
    // One connection that writes, so that its statements are prepared once.
    let store = SqlStore::connect(StoreOptions { max_connections: 2, ..StoreOptions::new(url) }).await.unwrap();
    for (size, is_warm) in [(2, false), (2, true), (300, true)] {
        let (ending, growing): (Vec<_>, Vec<_>) = (0..size).map(|_| (whole(), whole())).unzip();
        let live: Vec<JournalEntry> = ending.iter().chain(&growing).map(admit).collect();
        direct.commit(&live).await.unwrap();
        let new: Vec<AdmissionRecord> = (0..size).map(|_| whole()).collect();
        let endings = ending.iter().map(whole_ending);
        let appends = growing.iter().map(|admission| append(admission, 0, 1, "more"));
        let group: Vec<JournalEntry> = new.iter().map(admit).chain(endings).chain(appends).collect();
        let before = proxy.round_trips();
        let outcomes = store.commit(&group).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == CommitOutcome::Committed), "{outcomes:?}");
        let spent = proxy.round_trips() - before;
        // One more with which the pool looks at a connection that it gets back.
        assert!(!is_warm || spent <= MOST_ROUND_TRIPS + 1, "{spent} round trips for three times {size} entries");
    }
}

#[tokio::test]
async fn a_user_who_comes_back_with_many_requests_at_once_has_the_data_key_read_once() {
    let node = FarNode::start(Duration::ZERO).await;
    let ada = node.antiphon.user_named("ada").await.unwrap().id();
    let before = node.proxy.round_trips();
    let keys = join_all((0..200).map(|_| node.vault.user_key(ada))).await;
    assert!(keys.iter().all(Result::is_ok));
    // One for the statement, and a few for the connection that runs it first.
    assert!(node.proxy.round_trips() - before < 20, "{}", node.proxy.round_trips() - before);
}

/// A node whose database is behind a proxy.
struct FarNode {
    antiphon: Antiphon,
    store: Arc<FlakyStore>,
    proxy: DelayingProxy,
    database: TestDatabase,
    vault: Vault,
}

impl FarNode {
    /// A node whose calls to the database take three seconds at most.
    async fn start(round_trip: Duration) -> Self {
        let database = TestDatabase::postgres();
        drop(database.store().await);
        let (proxy, url) = DelayingProxy::in_front_of(&database.url);
        let options = StoreOptions {
            acquire_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(2),
            ..StoreOptions::new(url)
        };
        let sql = Arc::new(SqlStore::connect(options).await.unwrap());
        let store = Arc::new(FlakyStore::new(sql.clone()));
        let vault = Vault::new(KeyRing::generate().unwrap(), sql);
        let gate = GateLimits { max_concurrent: 2_000.try_into().unwrap(), ..GateLimits::default() };
        let antiphon = Antiphon::builder(store.whole(), vault.clone())
            .provider_with_options("local", Eliza::new(Duration::ZERO), ProviderOptions { gate, ..Default::default() })
            .model(Model::new("eliza", Target::new("local", "eliza")))
            .start()
            .unwrap();
        proxy.set_round_trip(round_trip);
        Self { antiphon, store, proxy, database, vault }
    }

    /// Has that many responses run at once to their ends.
    async fn respond(&self, responses: usize) {
        let ada = self.antiphon.user_named("ada").await.unwrap();
        let respond = async |_| {
            let events = ada.respond(CreateResponse::text("eliza", "I feel calm.")).await.unwrap();
            events.ending().await.unwrap().status
        };
        let statuses = join_all((0..responses).map(respond)).await;
        assert!(statuses.iter().all(|status| *status == Status::Completed), "{statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_responses_at_once_on_a_slow_network_all_end() {
    // One by one, the admissions alone would take eight seconds: longer than a call may take.
    let node = FarNode::start(Duration::from_millis(8)).await;
    node.respond(200).await;
    assert!(node.store.entries_per_commit().into_iter().max() > Some(50), "{:?}", node.store.entries_per_commit());
    assert!(!node.antiphon.journal().is_away());
}

/// How long the journal let an admission wait, beside what it may.
struct LongestWait {
    waited: Duration,
    bound: Duration,
}

impl FarNode {
    /// Submits that many admissions at once. The bound of each is (its place / the largest group + 2) times the time of
    /// one group: ten round trips, and what the database itself takes for a full one.
    async fn admit(&self, admissions: usize, round_trip: Duration) -> LongestWait {
        let alone = self.alone(admissions).await;
        let before = self.store.commits();
        let admit = async |begun: Instant| {
            let written = self.antiphon.journal().write(super::responses::admit(&whole())).await;
            (written, begun.elapsed())
        };
        let begun = Instant::now();
        let written = join_all((0..admissions).map(|_| admit(begun))).await;
        let largest = self.store.entries_per_commit().into_iter().skip(before).max().unwrap_or(1);
        let one_group = round_trip * u32::try_from(MOST_ROUND_TRIPS).unwrap() + alone;
        let waits = written.into_iter().enumerate().map(|(place, (written, waited))| {
            assert_eq!(written, Written::Committed);
            let groups = u32::try_from(place / largest).unwrap() + 2;
            LongestWait { waited, bound: one_group * groups }
        });
        waits.max_by_key(|wait| wait.waited * 1000 / u32::try_from(wait.bound.as_millis().max(1)).unwrap()).unwrap()
    }

    /// How long the database takes for a group of that many admissions without the network.
    async fn alone(&self, admissions: usize) -> Duration {
        let direct = self.database.store().await;
        let mut took = Duration::MAX;
        for _ in 0..2 {
            let group: Vec<JournalEntry> = (0..admissions).map(|_| admit(&whole())).collect();
            let begun = Instant::now();
            direct.commit(&group).await.unwrap();
            took = took.min(begun.elapsed());
        }
        took
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "it prints the table")]
async fn long_a_thousand_responses_at_once_on_networks_of_any_speed_all_end() {
    println!("round trip  groups  mean  largest  longest wait  its bound");
    for millis in [1, 5, 10, 25] {
        let round_trip = Duration::from_millis(millis);
        let node = FarNode::start(round_trip).await;
        node.respond(1000).await;
        let groups = node.store.entries_per_commit();
        let (mean, largest) = (groups.iter().sum::<usize>() / groups.len(), groups.iter().max().unwrap());
        let LongestWait { waited, bound } = node.admit(1000, round_trip).await;
        println!(
            "{millis:>7} ms {:>7} {mean:>5} {largest:>8} {:>10} ms {:>7} ms",
            groups.len(),
            waited.as_millis(),
            bound.as_millis()
        );
        assert!(!node.antiphon.journal().is_away());
        assert!(waited <= bound, "{waited:?} is longer than {bound:?}");
    }
}
