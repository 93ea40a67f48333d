//! What the HTTP API asks of the actors.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;

use crate::actors::{ClientStream, DeliveryMode, ResponseOutcome};
use crate::antiphon::Antiphon;
use crate::domain::{Idempotency, RunPlan};
use crate::protocol::{Item, ItemId, Response, ResponseId, UserId};
use crate::provider::UpstreamHealth;
use crate::refusal::Refusal;
use crate::store::{self, SortOrder};

/// Runs responses, as [`Antiphon`] does.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Admits a response durably and starts it.
    async fn respond(&self, plan: RunPlan, mode: DeliveryMode) -> Result<ClientStream, Refusal>;

    /// The digests of an idempotency key and of the body that it came with.
    fn idempotency(&self, user: UserId, key: &str, body: &[u8]) -> Idempotency;

    /// The response that this very request has become before, if it has.
    async fn claimed(&self, user: UserId, request: &Idempotency) -> Result<Option<ResponseId>, Refusal>;

    /// Reads that response; none if it has just given its key back.
    async fn attach(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<Option<ClientStream>, Refusal>;

    /// Reads a stored response, running or long ended.
    async fn subscribe(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal>;

    /// Goes on for a client whose [`ClientStream`] was lost through no fault of its own.
    async fn resume(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal>;

    /// A stored response as of now.
    async fn retrieve(&self, user: UserId, id: ResponseId) -> Result<Response, Refusal>;

    /// Cancels a response; answers once its ending is durable.
    async fn cancel(&self, user: UserId, id: ResponseId) -> Result<Arc<ResponseOutcome>, Refusal>;

    /// Cancels a stored response if it runs, and deletes all of it.
    async fn delete(&self, user: UserId, id: ResponseId) -> Result<(), Refusal>;

    /// A page of a stored response's input, and whether there is more. None if the cursor names no item of it.
    async fn input_items(
        &self,
        user: UserId,
        id: ResponseId,
        page: (SortOrder, Option<ItemId>, u32),
    ) -> Result<Option<(Vec<Item>, bool)>, Refusal>;

    /// How each provider is doing, by its name.
    fn providers(&self) -> BTreeMap<String, UpstreamHealth>;

    /// Whether new responses can be taken.
    async fn ready(&self) -> Result<bool, store::Error>;
}

#[async_trait]
impl Backend for Antiphon {
    async fn respond(&self, plan: RunPlan, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        Antiphon::respond(self, plan, mode).await
    }

    fn idempotency(&self, user: UserId, key: &str, body: &[u8]) -> Idempotency {
        Antiphon::idempotency(self, user, key, body)
    }

    async fn claimed(&self, user: UserId, request: &Idempotency) -> Result<Option<ResponseId>, Refusal> {
        Antiphon::claimed(self, user, request).await
    }

    async fn attach(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<Option<ClientStream>, Refusal> {
        Antiphon::attach(self, user, id, mode).await
    }

    async fn subscribe(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        Antiphon::subscribe(self, user, id, mode).await
    }

    async fn resume(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        Antiphon::resume(self, user, id, mode).await
    }

    async fn retrieve(&self, user: UserId, id: ResponseId) -> Result<Response, Refusal> {
        Antiphon::retrieve(self, user, id).await
    }

    async fn cancel(&self, user: UserId, id: ResponseId) -> Result<Arc<ResponseOutcome>, Refusal> {
        Antiphon::cancel(self, user, id).await
    }

    async fn delete(&self, user: UserId, id: ResponseId) -> Result<(), Refusal> {
        Antiphon::delete(self, user, id).await
    }

    async fn input_items(
        &self,
        user: UserId,
        id: ResponseId,
        page: (SortOrder, Option<ItemId>, u32),
    ) -> Result<Option<(Vec<Item>, bool)>, Refusal> {
        Antiphon::input_items(self, user, id, page).await
    }

    fn providers(&self) -> BTreeMap<String, UpstreamHealth> {
        Antiphon::providers(self)
    }

    async fn ready(&self) -> Result<bool, store::Error> {
        Antiphon::ready(self).await
    }
}
