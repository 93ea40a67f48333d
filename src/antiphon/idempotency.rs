//! Repeated requests: finding the response of the first one, and attaching to it.

use super::Antiphon;
use crate::actors::{ClientStream, DeliveryMode, ReadRefusal, ResponsePhase};
use crate::domain::Idempotency;
use crate::protocol::{ResponseId, UserId};

/// Why a repeated request is not answered with the response of the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachRefusal {
    /// The idempotency key came with another request.
    #[error("the idempotency key was used for another request")]
    AnotherRequest,
    /// The response has ended and was not stored.
    #[error("the response has ended and was not stored")]
    NotStored,
    /// The response was deleted.
    #[error("the response was deleted")]
    Deleted,
    /// The response could not be read.
    #[error(transparent)]
    Read(#[from] ReadRefusal),
}

impl Antiphon {
    /// The digests of an idempotency key of that user and of the request's body. For [`RunPlan::idempotency`], which makes
    /// [`respond`](Self::respond) refuse a second response with [`AdmitError::KeyTaken`]. Takes long for a long body.
    ///
    /// [`RunPlan::idempotency`]: crate::domain::RunPlan::idempotency
    /// [`AdmitError::KeyTaken`]: crate::actors::AdmitError::KeyTaken
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
    /// [`AttachRefusal::AnotherRequest`], [`AttachRefusal::Read`].
    pub async fn claimed(&self, user: UserId, request: &Idempotency) -> Result<Option<ResponseId>, AttachRefusal> {
        let record = self.node().store.idempotency_key(user, &request.key).await.map_err(ReadRefusal::from)?;
        match record {
            Some(record) if record.fingerprint != request.fingerprint => Err(AttachRefusal::AnotherRequest),
            record => Ok(record.map(|record| record.response)),
        }
    }

    /// Reads a response that [`claimed`](Self::claimed) told of: a stored one at any time, another one while it runs.
    /// None if it has just given its key back: then the request may become a response of its own.
    ///
    /// # Errors
    /// [`AttachRefusal`].
    pub async fn attach(
        &self,
        user: UserId,
        id: ResponseId,
        mode: DeliveryMode,
    ) -> Result<Option<ClientStream>, AttachRefusal> {
        match self.resume(user, id, mode).await {
            Ok(reader) => look_around(reader),
            Err(ReadRefusal::NotFound) => Err(self.why_not(id).await?),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn why_not(&self, id: ResponseId) -> Result<AttachRefusal, ReadRefusal> {
        Ok(match self.node().store.response(id).await? {
            None => AttachRefusal::Deleted,
            Some(row) if !row.stored => AttachRefusal::NotStored,
            Some(_) => ReadRefusal::NotFound.into(),
        })
    }
}

/// Of a response that has ended there may be somebody who still reads it, and its supervisor with them.
fn look_around(reader: ClientStream) -> Result<Option<ClientStream>, AttachRefusal> {
    let ended = match &*reader.phase.borrow() {
        ResponsePhase::Ended(outcome) => Some(outcome.response.store),
        ResponsePhase::Opening | ResponsePhase::Opened | ResponsePhase::Unavailable => None,
    };
    match ended {
        Some(_) if reader.success_promise.has_failed() => Ok(None),
        Some(false) => Err(AttachRefusal::NotStored),
        Some(true) | None => Ok(Some(reader)),
    }
}
