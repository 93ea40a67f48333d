//! Responses in memory.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{MemoryStore, store::MemoryTables};
use crate::{
    AdmissionRecord, ClaimRecord, EndingRecord, Error, ItemPage, ItemQuery, ItemSide, LastSegment, OrphanedResponse,
    ResponseRow, ResponseStore, Segment, SetAsideMark, SetAsideResponse, SortOrder, StoredItem,
};
use antiphon_domain::Timestamp;
use antiphon_protocol::{ResponseId, UserId};

/// The responses by id.
#[derive(Default)]
pub(super) struct ResponseTable(HashMap<ResponseId, StoredResponse>);

/// A response with all that belongs to it.
pub(super) struct StoredResponse {
    pub(super) row: ResponseRow,
    pub(super) content: Option<Bytes>,
    pub(super) set_aside: Option<SetAsideMark>,
    retry_wanted_at: Option<Timestamp>,
    items: BTreeMap<(ItemSide, u32), StoredItem>,
    log: BTreeMap<u64, Segment>,
}

impl ResponseTable {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: ResponseId) -> Option<&StoredResponse> {
        self.0.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ResponseId) -> Option<&mut StoredResponse> {
        self.0.get_mut(&id)
    }

    pub(super) fn insert(&mut self, admission: &AdmissionRecord) {
        self.0.insert(admission.row.id, StoredResponse::new(admission));
    }

    pub(super) fn delete(&mut self, id: ResponseId) {
        self.0.remove(&id);
    }

    pub(super) fn delete_of_user(&mut self, user: UserId) {
        self.0.retain(|_, response| response.row.user != user);
    }

    /// The responses that have not ended.
    pub(super) fn live(&self) -> impl Iterator<Item = &StoredResponse> {
        self.0.values().filter(|response| !response.row.status.is_terminal())
    }
}

impl StoredResponse {
    fn new(admission: &AdmissionRecord) -> Self {
        Self {
            row: admission.row.clone(),
            content: None,
            set_aside: None,
            retry_wanted_at: None,
            items: admission.items.iter().map(|item| ((item.side, item.position), item.clone())).collect(),
            log: admission.segment.iter().map(|first| (first.first, first.clone())).collect(),
        }
    }

    /// Whether its log has exactly that segment.
    pub(super) fn has(&self, segment: &Segment) -> bool {
        self.log.get(&segment.first) == Some(segment)
    }

    /// Whether its log ends with the segment that begins at `after`, and the new one begins there.
    pub(super) fn is_continued_by(&self, after: u64, segment: &Segment) -> bool {
        let follows = self.log.get(&after).is_some_and(|before| before.end() == segment.first);
        follows && !self.log.contains_key(&segment.first)
    }

    pub(super) fn append(&mut self, segment: &Segment) {
        self.log.insert(segment.first, segment.clone());
    }

    /// Whether its log has that segment, or can be continued by it.
    pub(super) fn has_or_takes(&self, last: &LastSegment) -> bool {
        self.has(&last.segment) || !self.row.status.is_terminal() && self.is_continued_by(last.after, &last.segment)
    }

    /// Whether none of the items' places is taken.
    pub(super) fn has_room_for(&self, items: &[StoredItem]) -> bool {
        !items.iter().any(|item| self.items.contains_key(&(item.side, item.position)))
    }

    pub(super) fn end(&mut self, ending: &EndingRecord) {
        self.row.end(ending);
        self.content.clone_from(&ending.content);
        self.log.extend(ending.last_segment.iter().map(|last| (last.segment.first, last.segment.clone())));
        self.items.extend(ending.items.iter().map(|item| ((item.side, item.position), item.clone())));
    }

    pub(super) fn take_over(&mut self, claim: &ClaimRecord) {
        if self.row.epoch != claim.epoch {
            (self.set_aside, self.retry_wanted_at) = (None, None);
        }
        self.row.take_over(claim);
    }

    fn page(&self, query: &ItemQuery) -> Result<ItemPage, Error> {
        let mut side: Vec<&StoredItem> = self.items.values().filter(|item| item.side == query.side).collect();
        if query.order == SortOrder::Descending {
            side.reverse();
        }
        let (begin, after) = match &query.after {
            None => (0, None),
            Some(id) => {
                let place = side.iter().position(|item| item.id == *id).ok_or(Error::UnknownCursor)?;
                (place + 1, side.get(place).map(|item| item.position))
            }
        };
        let rest = side.into_iter().skip(begin);
        let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let has_more = rest.len() > wanted;
        Ok(ItemPage { items: rest.take(wanted).cloned().collect(), has_more, after })
    }
}

#[async_trait]
impl ResponseStore for MemoryStore {
    async fn response(&self, id: ResponseId) -> Result<Option<ResponseRow>, Error> {
        Ok(self.tables().responses.get(id).map(|response| response.row.clone()))
    }

    async fn segments(&self, id: ResponseId, from: u64, limit: u32) -> Result<Vec<Segment>, Error> {
        let tables = self.tables();
        let log = tables.responses.get(id).into_iter().flat_map(|response| response.log.values());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(log.skip_while(|segment| segment.end() <= from).take(limit).cloned().collect())
    }

    async fn items(&self, query: ItemQuery) -> Result<ItemPage, Error> {
        match self.tables().responses.get(query.response) {
            Some(response) => response.page(&query),
            None if query.after.is_some() => Err(Error::UnknownCursor),
            None => Ok(ItemPage { items: Vec::new(), has_more: false, after: None }),
        }
    }

    async fn chain(&self, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, Error> {
        let tables = self.tables();
        let row = |id: ResponseId| tables.responses.get(id).map(|response| &response.row);
        let chain = std::iter::successors(row(id), |last| last.previous.and_then(row));
        Ok(chain.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn orphaned(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<OrphanedResponse>, Error> {
        let tables = self.tables();
        let now = self.now();
        let owner_is_gone = |StoredResponse { row, set_aside, .. }: &&StoredResponse| match row.node == node {
            true => row.epoch < epoch || row.epoch == epoch && set_aside.is_some(),
            false => !tables.nodes.has_lease(&row.node, now),
        };
        let orphaned = tables.responses.live().filter(owner_is_gone);
        let mut orphaned: Vec<&StoredResponse> = orphaned.collect();
        orphaned.sort_by_key(|response| {
            let StoredResponse { row, set_aside, retry_wanted_at, .. } = response;
            (set_aside.is_some(), Reverse(*retry_wanted_at), row.node != node, row.created_at, row.id)
        });
        orphaned.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let found = |response: &&StoredResponse| OrphanedResponse {
            id: response.row.id,
            node: response.row.node.clone(),
            epoch: response.row.epoch,
            set_aside: response.set_aside.map(|mark| mark.reason),
            retry_wanted_at: response.retry_wanted_at,
        };
        Ok(orphaned.iter().map(found).collect())
    }

    async fn set_aside(&self, limit: u32) -> Result<Vec<SetAsideResponse>, Error> {
        let tables = self.tables();
        let now = self.now();
        let found = |StoredResponse { row, set_aside, .. }: &StoredResponse| {
            let has_live_owner = tables.nodes.has_lease_as(&row.node, row.epoch, now);
            Some(SetAsideResponse { id: row.id, node: row.node.clone(), mark: (*set_aside)?, has_live_owner })
        };
        let mut set_aside: Vec<_> = tables.responses.live().filter_map(found).collect();
        set_aside.sort_by_key(|response| (response.mark.at, response.id));
        set_aside.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(set_aside)
    }

    async fn mark_set_aside(
        &self,
        node: &str,
        epoch: i64,
        marks: &[(ResponseId, SetAsideMark)],
    ) -> Result<HashSet<ResponseId>, Error> {
        let mut tables = self.tables();
        let now = self.now();
        let MemoryTables { responses, nodes, .. } = &mut *tables;
        let mut marked = HashSet::new();
        for (id, mark) in marks {
            let Some(response) = responses.get_mut(*id).filter(|response| !response.row.status.is_terminal()) else {
                continue;
            };
            let row = &response.row;
            let may_mark = if row.node == node { row.epoch <= epoch } else { !nodes.has_lease(&row.node, now) };
            if may_mark {
                let at = response.set_aside.map_or(mark.at, |before| before.at);
                response.set_aside = Some(SetAsideMark { at, ..*mark });
                marked.insert(*id);
            }
        }
        Ok(marked)
    }

    async fn clear_set_aside(&self, id: ResponseId) -> Result<(), Error> {
        if let Some(response) = self.tables().responses.get_mut(id) {
            (response.set_aside, response.retry_wanted_at) = (None, None);
        }
        Ok(())
    }

    async fn want_retry(&self, id: ResponseId, at: Timestamp) -> Result<bool, Error> {
        let mut tables = self.tables();
        let is_set_aside =
            |response: &&mut StoredResponse| response.set_aside.is_some() && !response.row.status.is_terminal();
        let Some(response) = tables.responses.get_mut(id).filter(is_set_aside) else { return Ok(false) };
        let later = response.retry_wanted_at.map(|before| Timestamp::from_micros(before.as_micros() + 1));
        response.retry_wanted_at = Some(later.map_or(at, |later| later.max(at)));
        Ok(true)
    }

    async fn unended(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<ResponseId>, Error> {
        let tables = self.tables();
        let rows = tables.responses.live().map(|response| &response.row);
        let of_node = rows.filter(|row| row.node == node && row.epoch == epoch);
        let mut unended: Vec<_> = of_node.map(|row| (row.created_at, row.id)).collect();
        unended.sort_unstable();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(unended.into_iter().take(limit).map(|(_, id)| id).collect())
    }

    async fn live_of_deleted_users(&self, node: &str, limit: u32) -> Result<Vec<(UserId, ResponseId)>, Error> {
        let tables = self.tables();
        let not_set_aside = tables.responses.live().filter(|response| response.set_aside.is_none());
        let rows = not_set_aside.map(|response| &response.row);
        let of_deleted = rows.filter(|row| row.node == node && !tables.accounts.has_user(row.user));
        let mut live: Vec<&ResponseRow> = of_deleted.collect();
        live.sort_by_key(|row| (row.created_at, row.id));
        live.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(live.iter().map(|row| (row.user, row.id)).collect())
    }
}
