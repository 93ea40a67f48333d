//! The record in memory, for tests and for embedders who need nothing kept.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    AdmissionRecord, Append, Claim, CommitOutcome, Conflict, EndingRecord, Entry, Error, IdempotencyRecord, ItemPage,
    ItemQuery, Order, ResponseRow, Segment, Side, Store, StoredItem, UsageRecord,
};
use crate::clock::{Clock, SystemClock};
use crate::domain::Timestamp;
use crate::protocol::{ResponseId, Status, UserId};

mod accounts;
mod idempotency;

/// A store with the semantics of the databases that forgets everything with the process.
pub struct MemoryStore {
    tables: Mutex<Tables>,
    clock: Arc<dyn Clock>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").field("responses", &self.tables.lock().responses.len()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Tables {
    accounts: accounts::Tables,
    responses: HashMap<ResponseId, Stored>,
    usage: BTreeMap<(ResponseId, u16), UsageRecord>,
    nodes: HashMap<String, Lease>,
    keys: idempotency::Keys,
}

/// A node's newest epoch, and until when it is taken to be at work.
struct Lease {
    epoch: i64,
    until: Timestamp,
}

struct Stored {
    row: ResponseRow,
    content: Option<Bytes>,
    items: BTreeMap<(Side, u32), StoredItem>,
    log: BTreeMap<u64, Segment>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store whose leases go by that clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { tables: Mutex::default(), clock }
    }

    /// The ledger, by response and turn.
    #[must_use]
    pub fn usage(&self) -> Vec<UsageRecord> {
        self.tables.lock().usage.values().cloned().collect()
    }

    /// The encrypted text of a response's answer.
    #[must_use]
    pub fn content(&self, id: ResponseId) -> Option<Bytes> {
        self.tables.lock().responses.get(&id)?.content.clone()
    }
}

impl Stored {
    fn holds(&self, segment: &Segment) -> bool {
        self.log.get(&segment.first) == Some(segment)
    }

    /// Whether the segment that begins at `after` is the last and ends where `segment` begins.
    fn has_place(&self, after: u64, segment: &Segment) -> bool {
        let follows = self.log.get(&after).is_some_and(|before| before.end() == segment.first);
        follows && !self.log.contains_key(&segment.first)
    }

    fn is_owned(&self, epoch: i64) -> bool {
        !self.row.status.is_terminal() && self.row.epoch == epoch
    }
}

impl Tables {
    fn apply(&mut self, entry: &Entry, now: Timestamp) -> CommitOutcome {
        match entry {
            Entry::Admit(admission) => self.admit(admission),
            Entry::Append(append) => self.append(append),
            Entry::End(ending) => self.end(ending),
            Entry::Claim(claim) => self.claim(claim, now),
            Entry::Delete(id) => {
                self.responses.remove(id);
                CommitOutcome::Committed
            }
        }
    }

    fn admit(&mut self, admission: &AdmissionRecord) -> CommitOutcome {
        if let Some(stored) = self.responses.get(&admission.row.id) {
            let same = stored.row.same_admission(&admission.row)
                && admission.segment.as_ref().is_none_or(|first| stored.holds(first));
            return if same { CommitOutcome::Committed } else { CommitOutcome::Conflict(Conflict::Position) };
        }
        if !self.keys.are_free_for(admission) {
            return CommitOutcome::Conflict(Conflict::KeyTaken);
        }
        self.keys.claim(admission);
        let stored = Stored {
            row: admission.row.clone(),
            content: None,
            items: admission.items.iter().map(|item| ((item.side, item.position), item.clone())).collect(),
            log: admission.segment.iter().map(|first| (first.first, first.clone())).collect(),
        };
        self.responses.insert(admission.row.id, stored);
        CommitOutcome::Committed
    }

    fn append(&mut self, append: &Append) -> CommitOutcome {
        let segment = &append.segment;
        match self.responses.get_mut(&segment.response) {
            Some(stored) if stored.is_owned(append.epoch) && stored.has_place(append.after, segment) => {
                stored.log.insert(segment.first, segment.clone());
                if append.begins {
                    stored.row.status = Status::InProgress;
                }
                CommitOutcome::Committed
            }
            Some(stored) if stored.holds(segment) => CommitOutcome::Committed,
            stored => CommitOutcome::Conflict(Conflict::of(stored.map(|stored| &stored.row), append.epoch)),
        }
    }

    fn end(&mut self, ending: &EndingRecord) -> CommitOutcome {
        let Some(stored) = self.responses.get_mut(&ending.id) else {
            return CommitOutcome::Conflict(Conflict::Missing);
        };
        if !stored.is_owned(ending.epoch) {
            let ended_so = match &ending.segment {
                Some((_, last)) => stored.holds(last),
                None => stored.row.ended_by(ending),
            };
            let conflict = Conflict::of(Some(&stored.row), ending.epoch);
            let committed = conflict == Conflict::Ended && ended_so;
            return if committed { CommitOutcome::Committed } else { CommitOutcome::Conflict(conflict) };
        }
        let place =
            ending.segment.as_ref().is_none_or(|(after, last)| stored.holds(last) || stored.has_place(*after, last));
        if !place || ending.items.iter().any(|item| stored.items.contains_key(&(item.side, item.position))) {
            return CommitOutcome::Conflict(Conflict::Position);
        }
        stored.row.status = ending.status;
        stored.row.cause = ending.cause;
        stored.row.finish_reason.clone_from(&ending.finish_reason);
        stored.row.ended_at = Some(ending.ended_at);
        stored.content.clone_from(&ending.content);
        stored.log.extend(ending.segment.iter().map(|(_, last)| (last.first, last.clone())));
        stored.items.extend(ending.items.iter().map(|item| ((item.side, item.position), item.clone())));
        for record in &ending.usage {
            self.usage.entry((record.response, record.turn)).or_insert_with(|| record.clone());
        }
        if ending.releases_key {
            self.keys.release(ending.id);
        }
        CommitOutcome::Committed
    }

    fn claim(&mut self, claim: &Claim, now: Timestamp) -> CommitOutcome {
        let claimant = self.nodes.get(&claim.node).is_some_and(|lease| lease.epoch == claim.epoch && lease.until > now);
        let Some(stored) = self.responses.get_mut(&claim.id) else {
            return CommitOutcome::Conflict(Conflict::Missing);
        };
        let row = &mut stored.row;
        if row.status.is_terminal() {
            return CommitOutcome::Conflict(Conflict::Ended);
        }
        if row.claimed_by(claim) {
            return CommitOutcome::Committed;
        }
        let abandoned = row.node == claim.node || is_over(&self.nodes, &row.node, now);
        if row.epoch != claim.from_epoch || !claimant || !abandoned {
            return CommitOutcome::Conflict(Conflict::Owner);
        }
        row.node.clone_from(&claim.node);
        row.epoch = claim.epoch;
        CommitOutcome::Committed
    }

    fn page(&self, query: &ItemQuery) -> Result<ItemPage, Error> {
        let stored = self.responses.get(&query.response);
        let mut side: Vec<&StoredItem> = stored
            .into_iter()
            .flat_map(|stored| stored.items.values())
            .filter(|item| item.side == query.side)
            .collect();
        if query.order == Order::Descending {
            side.reverse();
        }
        let begin = match &query.after {
            None => 0,
            Some(id) => side.iter().position(|item| item.id == *id).ok_or(Error::UnknownCursor)? + 1,
        };
        let rest = side.into_iter().skip(begin);
        let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let has_more = rest.len() > wanted;
        Ok(ItemPage { items: rest.take(wanted).cloned().collect(), has_more })
    }

    fn delete_responses_of(&mut self, user: UserId) {
        self.responses.retain(|_, stored| stored.row.user != user);
        self.keys.delete_user(user);
    }
}

/// A node that has never been heard of has no lease either.
fn is_over(nodes: &HashMap<String, Lease>, node: &str, now: Timestamp) -> bool {
    nodes.get(node).is_none_or(|lease| lease.until <= now)
}

fn lease_end(now: Timestamp, lease: Duration) -> Timestamp {
    let micros = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros))
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, group: &[Entry]) -> Result<Vec<CommitOutcome>, Error> {
        let mut tables = self.tables.lock();
        let now = self.clock.now();
        Ok(group.iter().map(|entry| tables.apply(entry, now)).collect())
    }

    async fn response(&self, id: ResponseId) -> Result<Option<ResponseRow>, Error> {
        Ok(self.tables.lock().responses.get(&id).map(|stored| stored.row.clone()))
    }

    async fn segments(&self, id: ResponseId, from: u64, limit: u32) -> Result<Vec<Segment>, Error> {
        let tables = self.tables.lock();
        let log = tables.responses.get(&id).into_iter().flat_map(|stored| stored.log.values());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(log.skip_while(|segment| segment.end() <= from).take(limit).cloned().collect())
    }

    async fn items(&self, query: ItemQuery) -> Result<ItemPage, Error> {
        self.tables.lock().page(&query)
    }

    async fn chain(&self, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, Error> {
        let tables = self.tables.lock();
        let row = |id: ResponseId| tables.responses.get(&id).map(|stored| &stored.row);
        let chain = std::iter::successors(row(id), |last| last.previous.and_then(row));
        Ok(chain.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn next_epoch(&self, node: &str, lease: Duration) -> Result<i64, Error> {
        let nodes = &mut self.tables.lock().nodes;
        let epoch = nodes.values().map(|lease| lease.epoch).max().unwrap_or(0) + 1;
        nodes.insert(node.to_owned(), Lease { epoch, until: lease_end(self.clock.now(), lease) });
        Ok(epoch)
    }

    async fn renew_lease(&self, node: &str, epoch: i64, lease: Duration) -> Result<bool, Error> {
        let until = lease_end(self.clock.now(), lease);
        let nodes = &mut self.tables.lock().nodes;
        let own = nodes.get_mut(node).filter(|own| own.epoch == epoch);
        Ok(own.map(|own| own.until = until).is_some())
    }

    async fn orphaned(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<ResponseRow>, Error> {
        let tables = self.tables.lock();
        let now = self.clock.now();
        let is_lost = |row: &ResponseRow| {
            let own = row.node == node;
            !row.status.is_terminal() && if own { row.epoch < epoch } else { is_over(&tables.nodes, &row.node, now) }
        };
        let rows = tables.responses.values().map(|stored| &stored.row);
        let mut left: Vec<ResponseRow> = rows.filter(|row| is_lost(row)).cloned().collect();
        left.sort_by_key(|row| (row.node != node, row.created_at, row.id));
        left.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(left)
    }

    async fn idempotency_key(&self, user: UserId, key: &[u8; 32]) -> Result<Option<IdempotencyRecord>, Error> {
        Ok(self.tables.lock().keys.get(user, key))
    }

    async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, Error> {
        let Tables { responses, keys, .. } = &mut *self.tables.lock();
        let is_kept = |id| responses.get(&id).is_some_and(|stored| stored.row.stored);
        Ok(keys.forget(before, is_kept) as u64)
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}
