//! What one user can do.

use std::sync::Arc;

use uuid::Uuid;

use super::{Antiphon, Events};
use crate::access::{AccountService, ServiceError};
use crate::actors::{ClientStream, DeliveryMode, ResponseOutcome};
use crate::admission::{self, Admitted, RequestContext};
use crate::domain::View;
use crate::protocol::{CreateResponse, Response, ResponseId, UserId};
use crate::refusal::Refusal;

/// Why a request did not become a response: then there is none, or it will be settled as failed.
#[derive(Debug, thiserror::Error)]
pub enum RespondError {
    /// The request can't be run as it is.
    #[error(transparent)]
    Refused(#[from] admission::Refusal),
    /// The node could not take it.
    #[error(transparent)]
    NotAdmitted(#[from] Refusal),
    /// The facts of a response were asked for that is not to be stored.
    #[error("only a stored response has a log of facts")]
    NotStored,
}

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
    /// [`RespondError::Refused`], [`RespondError::NotAdmitted`].
    pub async fn respond(&self, request: CreateResponse) -> Result<Events, RespondError> {
        let reader = self.start(request).await?;
        Ok(self.follow(reader, 0))
    }

    /// The events of a reader of this user's whose next event is number `from`: for those who make a plan themselves
    /// and give it to [`Antiphon::respond`], with an idempotency key, say.
    #[must_use]
    pub fn follow(&self, reader: ClientStream, from: u64) -> Events {
        Events::new(self.antiphon.subscription(self.id, reader, from), self.clone())
    }

    pub(super) async fn start(&self, request: CreateResponse) -> Result<ClientStream, RespondError> {
        let request = CreateResponse { stream: Some(true), ..request };
        let context = RequestContext {
            request_id: format!("req_{}", Uuid::now_v7().simple()),
            caller: self.id.to_string(),
            disconnect: None,
            idempotency: None,
        };
        let Admitted { plan, view, .. } = self.antiphon.admission().plan(self.id, request, context).await?;
        Ok(self.antiphon.respond(plan, DeliveryMode::Events { view, from: 0 }).await?)
    }

    /// The events of a stored response from number `from` on, running or long ended.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn events(&self, id: ResponseId, from: u64) -> Result<Events, Refusal> {
        let mode = DeliveryMode::Events { view: View::default(), from };
        let reader = self.antiphon.subscribe(self.id, id, mode).await?;
        Ok(self.follow(reader, from))
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
