//! What one user can do.

use std::sync::Arc;

use uuid::Uuid;

use super::{AnsweredRequest, Antiphon, Events};
use crate::access::{AccountService, ServiceError};
use crate::actors::{ClientStream, DeliveryMode, ResponseOutcome};
use crate::admission::RequestContext;
use crate::domain::View;
use crate::protocol::{CreateResponse, Response, ResponseId, UserId};
use crate::refusal::Refusal;

/// What one user of a node can do. Cheap to clone; like any handle it keeps the node alive.
#[derive(Debug, Clone)]
pub struct User {
    antiphon: Antiphon,
    id: UserId,
}

impl Antiphon {
    /// What that user can do. Whether there is such a user turns out when something is done.
    #[must_use]
    pub fn user(&self, id: UserId) -> User {
        User { antiphon: self.clone(), id }
    }

    /// What the user of that name can do, who is added if there is none.
    ///
    /// # Errors
    /// Those of [`AccountService::ensure_user`].
    pub async fn user_named(&self, name: &str) -> Result<User, ServiceError> {
        let user = self.accounts().ensure_user(name, self.node().clock.now()).await?;
        Ok(self.user(user.id))
    }

    /// The node's users and their API keys.
    #[must_use]
    pub fn accounts(&self) -> AccountService {
        AccountService::new(Arc::clone(&self.node().store.accounts), self.node().vault.clone())
    }
}

impl User {
    /// Who it is.
    #[must_use]
    pub fn id(&self) -> UserId {
        self.id
    }

    /// Has a request answered. Once this returns the response is durable and reaches its end, whatever becomes of the
    /// caller; its events are there to be read, now and later. `stream` need not be set: whoever has the events streams.
    ///
    /// Whoever drops the events of a response in the foreground leaves it, as a client that closes its connection does:
    /// see [`ResponseOptions::disconnect`](crate::domain::ResponseOptions::disconnect). One in the background goes on.
    ///
    /// # Errors
    /// [`Refusal`]: there is no response, or it will be settled as failed.
    pub async fn respond(&self, request: CreateResponse) -> Result<Events, Refusal> {
        let stream = self.start(request).await?;
        Ok(self.follow(stream))
    }

    /// The events of a stream of this user's: for those who ask the handle themselves, with an idempotency key, say.
    #[must_use]
    pub fn follow(&self, stream: ClientStream) -> Events {
        Events::new(self.antiphon.clone(), self.id, stream)
    }

    pub(super) async fn start(&self, request: CreateResponse) -> Result<ClientStream, Refusal> {
        let request = CreateResponse { stream: Some(true), ..request };
        let context = RequestContext {
            request_id: format!("req_{}", Uuid::now_v7().simple()),
            caller: self.id.to_string(),
            disconnect: None,
            idempotency: None,
        };
        let mode = DeliveryMode::Events { view: View::of(&request), from: 0 };
        self.antiphon.answer_request(self.id, request, context, mode).await.map(AnsweredRequest::into_stream)
    }

    /// The events of a stored response from number `from` on, running or long ended.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn events(&self, id: ResponseId, from: u64) -> Result<Events, Refusal> {
        let mode = DeliveryMode::Events { view: View::default(), from };
        let stream = self.antiphon.subscribe(self.id, id, mode).await?;
        Ok(self.follow(stream))
    }

    /// A stored response as of now.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn retrieve(&self, id: ResponseId) -> Result<Response, Refusal> {
        self.antiphon.retrieve(self.id, id).await
    }

    /// Cancels a response. Its provider's connection is closed at once; this returns once the ending is durable. Dropping
    /// the future cancels all the same.
    ///
    /// # Errors
    /// [`Refusal`]: it has ended in another way, or there is none.
    pub async fn cancel(&self, id: ResponseId) -> Result<Arc<ResponseOutcome>, Refusal> {
        self.antiphon.cancel(self.id, id).await
    }

    /// Deletes a stored response and all that was kept of it. One that runs is cancelled first.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn delete(&self, id: ResponseId) -> Result<(), Refusal> {
        self.antiphon.delete(self.id, id).await
    }
}
