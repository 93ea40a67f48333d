//! A store that can be made to fail.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::Timestamp;
use crate::protocol::{ResponseId, UserId};
use crate::store::{
    CommitOutcome, Error, GroupCommit, IdempotencyKeyStore, IdempotencyRecord, ItemPage, ItemQuery, JournalEntry,
    NodeStore, OrphanedResponse, ResponseRow, ResponseStore, Segment, SetAsideMark, SetAsideResponse, Store,
};

/// A store in front of another one. It can be unavailable, hold commits at a gate, and fail after it has committed.
#[derive(Debug)]
pub struct FlakyStore {
    inner: Store,
    state: Mutex<FlakyState>,
    gate: watch::Sender<CommitGate>,
}

#[derive(Debug, Default)]
struct FlakyState {
    away: bool,
    unknown_outcomes: u32,
    loses_items: bool,
    /// The number of the fact from which on logs are gone.
    logs_end: Option<u64>,
    commits: Vec<usize>,
    /// The names of the threads that read logs.
    readers: BTreeSet<String>,
    before_renewals: Option<RenewalHook>,
    before_items: Option<ItemsHook>,
    /// What the next look-ups of idempotency keys find, and how many of them.
    stale_key: (usize, Option<IdempotencyRecord>),
}

#[derive(Clone)]
struct RenewalHook(Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>);

impl fmt::Debug for RenewalHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenewalHook")
    }
}

#[derive(Clone)]
struct ItemsHook(Arc<dyn Fn(ItemQuery) -> BoxFuture<'static, ()> + Send + Sync>);

impl fmt::Debug for ItemsHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ItemsHook")
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct CommitGate {
    shut: bool,
    waiting: usize,
}

impl FlakyStore {
    /// A store that passes all calls to `inner` until a method of it says otherwise.
    #[must_use]
    pub fn new(inner: impl Into<Store>) -> Self {
        Self { inner: inner.into(), state: Mutex::default(), gate: watch::Sender::default() }
    }

    /// The whole store, with the accounts of the store behind it, which are always available.
    #[must_use]
    pub fn whole(self: &Arc<Self>) -> Store {
        Store {
            group_commit: Arc::clone(self) as _,
            responses: Arc::clone(self) as _,
            nodes: Arc::clone(self) as _,
            idempotency_keys: Arc::clone(self) as _,
            accounts: Arc::clone(&self.inner.accounts),
        }
    }

    /// Makes every call from now on fail with [`Error::Unavailable`], also commits that wait at the gate, once it
    /// opens.
    pub fn go_away(&self) {
        self.state.lock().away = true;
    }

    /// Makes calls succeed again.
    pub fn come_back(&self) {
        self.state.lock().away = false;
    }

    /// Closes the gate: commits wait there from now on.
    pub fn hold_commits(&self) {
        self.gate.send_modify(|gate| gate.shut = true);
    }

    /// Opens the gate for the commits that wait and those that follow.
    pub fn release_commits(&self) {
        self.gate.send_modify(|gate| gate.shut = false);
    }

    /// Waits until a commit waits at the gate.
    pub async fn commit_held(&self) {
        self.until(|gate| gate.waiting > 0).await;
    }

    /// Lets the next `times` commits be made, but answered with [`Error::Unavailable`].
    pub fn fail_after_commit(&self, times: u32) {
        self.state.lock().unknown_outcomes = times;
    }

    /// Lets endings be committed without the items of their outputs from now on.
    pub fn end_without_items(&self) {
        self.state.lock().loses_items = true;
    }

    /// From now on no log has the segments that begin with fact number `first` or a later one.
    pub fn lose_segments(&self, first: u64) {
        self.state.lock().logs_end = Some(first);
    }

    /// Runs `hook` before each renewal of a lease from now on, on the thread that renews it.
    pub fn before_renewals(&self, hook: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        self.state.lock().before_renewals = Some(RenewalHook(Arc::new(hook)));
    }

    /// Runs `hook` before each reading of items from now on, with what is to be read.
    pub fn before_items(&self, hook: impl Fn(ItemQuery) -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        self.state.lock().before_items = Some(ItemsHook(Arc::new(hook)));
    }

    /// The next `times` look-ups of an idempotency key find this, as in a replica of the database that lags behind.
    pub fn lag_idempotency_keys(&self, times: usize, found: Option<IdempotencyRecord>) {
        self.state.lock().stale_key = (times, found);
    }

    /// The names of the threads that have read logs.
    #[must_use]
    pub fn log_readers(&self) -> BTreeSet<String> {
        self.state.lock().readers.clone()
    }

    /// How many commits were made, including those with a lost answer.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.state.lock().commits.len()
    }

    /// How many entries each commit had, in order.
    #[must_use]
    pub fn entries_per_commit(&self) -> Vec<usize> {
        self.state.lock().commits.clone()
    }

    fn here(&self) -> Result<&Store, Error> {
        if self.state.lock().away { Err(lost("the store is away")) } else { Ok(&self.inner) }
    }

    async fn until(&self, wanted: impl FnMut(&CommitGate) -> bool) {
        let mut gate = self.gate.subscribe();
        // The sender lives as long as the store, so this never fails.
        let _ = gate.wait_for(wanted).await;
    }

    async fn pass_gate(&self) {
        if !self.gate.borrow().shut {
            return;
        }
        let _waiting = WaitingCommit::at(&self.gate);
        self.until(|gate| !gate.shut).await;
    }
}

/// A commit that waits, counted until it is dropped, even if its caller gives up.
struct WaitingCommit<'a>(&'a watch::Sender<CommitGate>);

impl<'a> WaitingCommit<'a> {
    fn at(gate: &'a watch::Sender<CommitGate>) -> Self {
        gate.send_modify(|gate| gate.waiting += 1);
        Self(gate)
    }
}

impl Drop for WaitingCommit<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|gate| gate.waiting -= 1);
    }
}

fn lost(why: &'static str) -> Error {
    Error::Unavailable(why.into())
}

fn lose_items(entry: &mut JournalEntry) {
    if let JournalEntry::End(ending) = entry {
        ending.items.clear();
    }
}

#[async_trait]
impl GroupCommit for FlakyStore {
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, Error> {
        self.here()?;
        self.pass_gate().await;
        let mut group = group.to_vec();
        if self.state.lock().loses_items {
            group.iter_mut().for_each(lose_items);
        }
        let outcomes = self.here()?.group_commit.commit(&group).await?;
        let mut state = self.state.lock();
        state.commits.push(group.len());
        if state.unknown_outcomes > 0 {
            state.unknown_outcomes -= 1;
            return Err(lost("the answer was lost"));
        }
        Ok(outcomes)
    }

    async fn ping(&self) -> Result<(), Error> {
        self.here()?.group_commit.ping().await
    }
}

#[async_trait]
impl ResponseStore for FlakyStore {
    async fn response(&self, id: ResponseId) -> Result<Option<ResponseRow>, Error> {
        self.here()?.responses.response(id).await
    }

    async fn segments(&self, id: ResponseId, from: u64, limit: u32) -> Result<Vec<Segment>, Error> {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        self.state.lock().readers.insert(thread);
        let end = self.state.lock().logs_end.unwrap_or(u64::MAX);
        let segments = self.here()?.responses.segments(id, from, limit).await?;
        Ok(segments.into_iter().filter(|segment| segment.first < end).collect())
    }

    async fn items(&self, query: ItemQuery) -> Result<ItemPage, Error> {
        let hook = self.state.lock().before_items.clone();
        if let Some(ItemsHook(hook)) = hook {
            hook(query.clone()).await;
        }
        self.here()?.responses.items(query).await
    }

    async fn chain(&self, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, Error> {
        self.here()?.responses.chain(id, limit).await
    }

    async fn orphaned(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<OrphanedResponse>, Error> {
        self.here()?.responses.orphaned(node, epoch, limit).await
    }

    async fn set_aside(&self, limit: u32) -> Result<Vec<SetAsideResponse>, Error> {
        self.here()?.responses.set_aside(limit).await
    }

    async fn mark_set_aside(
        &self,
        node: &str,
        epoch: i64,
        marks: &[(ResponseId, SetAsideMark)],
    ) -> Result<HashSet<ResponseId>, Error> {
        self.here()?.responses.mark_set_aside(node, epoch, marks).await
    }

    async fn clear_set_aside(&self, id: ResponseId) -> Result<(), Error> {
        self.here()?.responses.clear_set_aside(id).await
    }

    async fn want_retry(&self, id: ResponseId, at: Timestamp) -> Result<bool, Error> {
        self.here()?.responses.want_retry(id, at).await
    }

    async fn unended(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<ResponseId>, Error> {
        self.here()?.responses.unended(node, epoch, limit).await
    }

    async fn live_of_deleted_users(&self, node: &str, limit: u32) -> Result<Vec<(UserId, ResponseId)>, Error> {
        self.here()?.responses.live_of_deleted_users(node, limit).await
    }
}

#[async_trait]
impl NodeStore for FlakyStore {
    async fn next_epoch(&self, node: &str, lease: Duration) -> Result<i64, Error> {
        self.here()?.nodes.next_epoch(node, lease).await
    }

    async fn renew_lease(&self, node: &str, epoch: i64, lease: Duration) -> Result<bool, Error> {
        let hook = self.state.lock().before_renewals.clone();
        if let Some(RenewalHook(hook)) = hook {
            hook().await;
        }
        self.here()?.nodes.renew_lease(node, epoch, lease).await
    }

    async fn has_lease(&self, node: &str) -> Result<bool, Error> {
        self.here()?.nodes.has_lease(node).await
    }
}

#[async_trait]
impl IdempotencyKeyStore for FlakyStore {
    async fn idempotency_key(&self, user: UserId, key: &[u8; 32]) -> Result<Option<IdempotencyRecord>, Error> {
        if let (times @ 1.., found) = &mut self.state.lock().stale_key {
            *times -= 1;
            return Ok(*found);
        }
        self.here()?.idempotency_keys.idempotency_key(user, key).await
    }

    async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, Error> {
        self.here()?.idempotency_keys.forget_idempotency_keys(before).await
    }
}

#[cfg(test)]
mod tests;
