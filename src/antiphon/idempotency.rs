//! Repeated requests: finding the response of the first one, and attaching to it.

use super::Antiphon;
use crate::actors::{ClientStream, DeliveryMode, ResponsePhase};
use crate::domain::Idempotency;
use crate::protocol::{ResponseId, UserId};
use crate::refusal::Refusal;

impl Antiphon {
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
        match self.resume(user, id, mode).await {
            Ok(reader) => look_around(reader),
            Err(Refusal::NotFound) => Err(self.why_not(id).await?),
            Err(refusal) => Err(refusal),
        }
    }

    async fn why_not(&self, id: ResponseId) -> Result<Refusal, Refusal> {
        Ok(match self.node().store.responses.response(id).await? {
            None => Refusal::IdempotencyResultDeleted,
            Some(row) if !row.stored => Refusal::IdempotencyResultNotStored,
            Some(_) => Refusal::NotFound,
        })
    }
}

/// Of a response that has ended there may be somebody who still reads it, and its supervisor with them.
fn look_around(reader: ClientStream) -> Result<Option<ClientStream>, Refusal> {
    let ended = match &*reader.phase.borrow() {
        ResponsePhase::Ended(outcome) => Some(outcome.response.store),
        ResponsePhase::Opening | ResponsePhase::Opened | ResponsePhase::Unavailable => None,
    };
    match ended {
        Some(_) if reader.success_promise.has_failed() => Ok(None),
        Some(false) => Err(Refusal::IdempotencyResultNotStored),
        Some(true) | None => Ok(Some(reader)),
    }
}
