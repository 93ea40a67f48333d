//! The reads of the port.

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;

use super::{chain::chain, items, log, orphaned::orphaned, rows, set_aside, unended::unended};
use crate::{SqlStore, connect::Pools};
use antiphon_domain::Timestamp;
use antiphon_protocol::{ResponseId, UserId};
use antiphon_store::{
    Error, ItemPage, ItemQuery, OrphanedResponse, ResponseRow, ResponseStore, Segment, SetAsideMark, SetAsideResponse,
};

#[async_trait]
impl ResponseStore for SqlStore {
    async fn response(&self, id: ResponseId) -> Result<Option<ResponseRow>, Error> {
        self.call("response", move |pools| async move { rows::find(&pools.read, id).await }).await
    }

    async fn segments(&self, id: ResponseId, from: u64, limit: u32) -> Result<Vec<Segment>, Error> {
        self.call("segments", move |pools| async move { log::segments(&pools.read, id, from, limit).await }).await
    }

    async fn items(&self, query: ItemQuery) -> Result<ItemPage, Error> {
        self.call("items", |pools| async move { items::page(&pools.read, &query).await }).await
    }

    async fn chain(&self, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, Error> {
        self.call("chain", move |pools| async move { chain(&pools.read, id, limit).await }).await
    }

    async fn orphaned(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<OrphanedResponse>, Error> {
        let node = node.to_owned();
        self.call("orphaned", move |pools| async move { orphaned(&pools.read, node, epoch, limit).await }).await
    }

    async fn set_aside(&self, limit: u32) -> Result<Vec<SetAsideResponse>, Error> {
        self.call("set_aside", move |pools| async move { set_aside::set_aside(&pools.read, limit).await }).await
    }

    async fn mark_set_aside(
        &self,
        node: &str,
        epoch: i64,
        marks: &[(ResponseId, SetAsideMark)],
    ) -> Result<HashSet<ResponseId>, Error> {
        let (by, marks) = ((node.to_owned(), epoch), marks.to_vec());
        self.call("mark_set_aside", move |pools| async move { set_aside::mark(&pools, by, marks).await }).await
    }

    async fn clear_set_aside(&self, id: ResponseId) -> Result<(), Error> {
        self.call("clear_set_aside", move |pools| async move { set_aside::clear(&pools.write, id).await }).await
    }

    async fn want_retry(&self, id: ResponseId, at: Timestamp) -> Result<bool, Error> {
        self.call("want_retry", move |pools| async move { set_aside::want_retry(&pools.write, id, at).await }).await
    }

    async fn unended(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<ResponseId>, Error> {
        let node = node.to_owned();
        self.call("unended", move |pools| async move { unended(&pools.read, node, epoch, limit).await }).await
    }

    async fn live_of_deleted_users(&self, node: &str, limit: u32) -> Result<Vec<(UserId, ResponseId)>, Error> {
        let node = node.to_owned();
        let live = move |pools: Arc<Pools>| async move { rows::live_of_deleted_users(&pools.read, node, limit).await };
        self.call("live_of_deleted_users", live).await
    }
}
