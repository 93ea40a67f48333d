//! Requests, and those that repeat an earlier one by their idempotency key.

use super::Antiphon;
use crate::actors::{ClientStream, DeliveryMode, ResponsePhase};
use crate::admission::RequestContext;
use crate::domain::Idempotency;
use crate::protocol::{CreateResponse, ResponseId, UserId};
use crate::refusal::Refusal;

/// How often a request claims a key that others claim and give back at the same time.
const MOST_CLAIMS: usize = 5;

/// What answers a request.
#[derive(Debug)]
pub enum AnsweredRequest {
    /// A response of its own, which has begun.
    Started(ClientStream),
    /// The response of the earlier request that it repeats.
    Repeated(ClientStream),
}

impl AnsweredRequest {
    /// The way to the response, whichever it is.
    #[must_use]
    pub fn into_stream(self) -> ClientStream {
        match self {
            Self::Started(stream) | Self::Repeated(stream) => stream,
        }
    }
}

impl Antiphon {
    /// Has a request answered: by a response of its own or, if its idempotency key was used before, by the response of
    /// the request that it repeats. A response is durable when this returns.
    ///
    /// # Errors
    /// [`Refusal`]: there is no response, or it will be settled as failed.
    pub async fn answer_request(
        &self,
        user: UserId,
        request: CreateResponse,
        context: RequestContext,
        mode: DeliveryMode,
    ) -> Result<AnsweredRequest, Refusal> {
        let Some(idempotency) = context.idempotency else {
            return self.start_response(user, request, context, mode).await;
        };
        for _ in 0..MOST_CLAIMS {
            if let Some(stream) = self.repeated(user, &idempotency, mode).await? {
                return Ok(AnsweredRequest::Repeated(stream));
            }
            match self.start_response(user, request.clone(), context.clone(), mode).await {
                // Another request was faster. Its response answers this one too, unless it gives the key back.
                Err(Refusal::IdempotencyKeyInUse) => {}
                answered => return answered,
            }
        }
        Err(Refusal::IdempotencyKeyInUse)
    }

    async fn start_response(
        &self,
        user: UserId,
        request: CreateResponse,
        context: RequestContext,
        mode: DeliveryMode,
    ) -> Result<AnsweredRequest, Refusal> {
        let plan = self.admission().plan(user, request, context).await?.plan;
        let provider = plan.targets.first().map(|target| &target.provider);
        tracing::info!(response.id = %plan.id, model.provider = provider, "a request was planned");
        self.respond(plan, mode).await.map(AnsweredRequest::Started)
    }

    async fn repeated(
        &self,
        user: UserId,
        request: &Idempotency,
        mode: DeliveryMode,
    ) -> Result<Option<ClientStream>, Refusal> {
        match self.claimed(user, request).await? {
            Some(id) => self.attach(user, id, mode).await,
            None => Ok(None),
        }
    }

    /// The digests of an idempotency key of that user and of the request's body. For [`RunPlan::idempotency`], which makes
    /// [`respond`](Self::respond) refuse a second response with [`Refusal::IdempotencyKeyInUse`]. Takes long for a long
    /// body.
    ///
    /// [`RunPlan::idempotency`]: crate::domain::RunPlan::idempotency
    #[must_use]
    pub fn idempotency(&self, user: UserId, key: &str, body: &[u8]) -> Idempotency {
        let pepper = self.node().vault.pepper();
        let user = user.uuid().into_bytes();
        let key = pepper.digest("idempotency key", &[&user, key.as_bytes()]);
        Idempotency { key, fingerprint: pepper.digest("idempotent request", &[&key, body]) }
    }

    /// The response that this very request has become before, if it has.
    ///
    /// # Errors
    /// [`Refusal::IdempotencyKeyReused`], or the key could not be looked up.
    pub async fn claimed(&self, user: UserId, request: &Idempotency) -> Result<Option<ResponseId>, Refusal> {
        let record = self.node().store.idempotency_keys.idempotency_key(user, &request.key).await?;
        match record {
            Some(record) if record.fingerprint != request.fingerprint => Err(Refusal::IdempotencyKeyReused),
            record => Ok(record.map(|record| record.response)),
        }
    }

    /// Reads a response that [`claimed`](Self::claimed) told of: a stored one at any time, another one while it runs.
    /// None if it has just given its key back: then the request may become a response of its own.
    ///
    /// # Errors
    /// [`Refusal::IdempotencyResultNotStored`], [`Refusal::IdempotencyResultDeleted`], or it can't be read now.
    pub async fn attach(
        &self,
        user: UserId,
        id: ResponseId,
        mode: DeliveryMode,
    ) -> Result<Option<ClientStream>, Refusal> {
        match self.join(user, id, mode, true).await {
            Ok(stream) => unless_key_was_released(stream),
            Err(Refusal::NotFound) => Err(self.why_not_there(id).await?),
            Err(refusal) => Err(refusal),
        }
    }

    async fn why_not_there(&self, id: ResponseId) -> Result<Refusal, Refusal> {
        Ok(match self.node().store.responses.response(id).await? {
            None => Refusal::IdempotencyResultDeleted,
            Some(row) if !row.stored => Refusal::IdempotencyResultNotStored,
            Some(_) => Refusal::NotFound,
        })
    }
}

/// The stream; none of a response that has failed without a word and gave its key back. Its supervisor is still there
/// where somebody reads it.
fn unless_key_was_released(stream: ClientStream) -> Result<Option<ClientStream>, Refusal> {
    let ended = match &*stream.phase.borrow() {
        ResponsePhase::Ended(outcome) => Some(outcome.response.store),
        ResponsePhase::Opening | ResponsePhase::Opened | ResponsePhase::Unavailable => None,
    };
    match ended {
        Some(_) if stream.success_promise.has_failed() => Ok(None),
        Some(false) => Err(Refusal::IdempotencyResultNotStored),
        Some(true) | None => Ok(Some(stream)),
    }
}
