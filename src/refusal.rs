//! The refusals of commands: one vocabulary for actors, handle and HTTP.
//!
//! What the ports report becomes a [`Refusal`] here, and is logged here: a refusal has only what its caller can act
//! on. Imports `protocol`, `domain` and the ports.

use std::time::Duration;

use crate::domain::{Incoherent, Violation};
use crate::journal::{CodecError, LogError};
use crate::protocol::{ResponseId, Status};
use crate::provider::GateRefusal;
use crate::store::{self, AccountError};
use crate::tokens::PromptError;
use crate::vault;

/// How long to wait before another try if nothing else says how long.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait for what people have to mend.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request can't be run as it is.
    #[error(transparent)]
    Invalid(#[from] Violation),
    /// There is no such response for this user, or it is not stored.
    #[error("there is no such response")]
    NotFound,
    /// The response has ended in another way than the one that was asked for.
    #[error("the response is {} already", .0.as_str())]
    AlreadyEnded(Status),
    /// The response to continue has not ended.
    #[error("the response to continue has not ended")]
    StillRunning(ResponseId),
    /// Another response has the idempotency key. Nothing was written of this one.
    #[error("another response has the idempotency key")]
    IdempotencyKeyInUse,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The response of the idempotency key has ended and was not stored.
    #[error("the response of the idempotency key has ended and was not stored")]
    IdempotencyResultNotStored,
    /// The response of the idempotency key was deleted.
    #[error("the response of the idempotency key was deleted")]
    IdempotencyResultDeleted,
    /// The user does not exist, or is being deleted.
    #[error("the user does not exist or is being deleted")]
    UserDeleted,
    /// Too many responses wait already for the provider or in the background queue.
    #[error("too many responses are waiting")]
    QueueFull,
    /// Too many responses of this caller run or wait already.
    #[error("too many responses of this caller are running or waiting")]
    KeyBusy,
    /// The node is about to stop. It can do this after its next start, or another node can.
    #[error("the server is about to stop")]
    Draining,
    /// The database is not available. A cancel or a deletion that is refused for this happens all the same.
    #[error("the database is not available")]
    DatabaseUnavailable,
    /// What is stored of the response can't be read now, because a key or a newer version of the program is missing.
    /// It is kept. A cancel that is refused for this happens all the same, once it can be read.
    #[error("what is stored of the response can't be read now")]
    ContentUnavailable,
    /// What is stored of that response is not what was written: rows were removed, changed or swapped. Nothing is made of
    /// it, since it might be less than what was said.
    #[error("what is stored of the response '{0}' is damaged")]
    Damaged(ResponseId),
    /// The node has no lease, so that others may own its responses by now. It takes none before it has one again.
    #[error("the server has lost its lease and waits for another one")]
    NoLease,
    /// Another node has the response, and it has not ended.
    #[error("another server has the response")]
    OtherOwner,
    /// The response was not stored, and what ran it is gone: nothing more of it can be told.
    #[error("the server that ran the response lost it")]
    Interrupted,
    /// A part of the node did not answer in time. What was asked for has no effect yet, or is undone.
    #[error("a part of the server does not respond")]
    NotResponding,
    /// The node has failed for good: [`Antiphon::failed`](crate::Antiphon::failed) says why.
    #[error("the node has failed")]
    NodeFailed,
    /// Too many reads of this user wait already.
    #[error("too many reads of this user are waiting")]
    TooManyReads,
    /// A part of the server failed. The log has the details.
    #[error("an internal error occurred")]
    Internal,
}

impl Refusal {
    /// Says in the log that what is stored of a response is damaged.
    pub(crate) fn damaged(id: ResponseId) -> Self {
        tracing::error!(response.id = %id, "what is stored of a response is not as it was written");
        Self::Damaged(id)
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retry_after().is_some()
    }

    /// How long to wait before the same call is worth another try; none if it would be refused again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::StillRunning(_)
            | Self::IdempotencyKeyInUse
            | Self::QueueFull
            | Self::TooManyReads
            | Self::KeyBusy
            | Self::Draining
            | Self::DatabaseUnavailable
            | Self::NoLease
            | Self::OtherOwner
            | Self::NotResponding => Some(PAUSE),
            Self::ContentUnavailable => Some(LONG_PAUSE),
            Self::Invalid(_)
            | Self::NotFound
            | Self::AlreadyEnded(_)
            | Self::IdempotencyKeyReused
            | Self::IdempotencyResultNotStored
            | Self::IdempotencyResultDeleted
            | Self::UserDeleted
            | Self::Interrupted
            | Self::NodeFailed
            | Self::Damaged(_)
            | Self::Internal => None,
        }
    }
}

impl From<GateRefusal> for Refusal {
    fn from(refusal: GateRefusal) -> Self {
        match refusal {
            GateRefusal::QueueFull => Self::QueueFull,
            GateRefusal::KeyBusy => Self::KeyBusy,
        }
    }
}

impl From<Incoherent> for Refusal {
    fn from(incoherent: Incoherent) -> Self {
        Violation::from(incoherent).into()
    }
}

impl From<PromptError> for Refusal {
    fn from(error: PromptError) -> Self {
        match error {
            PromptError::TooLong { tokens, limit } => Violation::prompt_too_long(tokens, limit).into(),
            PromptError::Uncountable => {
                tracing::error!("a prompt's tokens could not be counted");
                Self::Internal
            }
        }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(cause)
            | store::Error::TimedOut(cause)
            | store::Error::Full(cause)
            | store::Error::Contended(cause) => {
                tracing::warn!(cause, "the database is not available");
                Self::DatabaseUnavailable
            }
            store::Error::Failed(_) | store::Error::Corrupt { .. } | store::Error::UnknownCursor => {
                tracing::error!(error = %error, "the database could not be read");
                Self::Internal
            }
        }
    }
}

impl From<vault::Error> for Refusal {
    fn from(error: vault::Error) -> Self {
        match error {
            vault::Error::Accounts(AccountError::Store(error)) => error.into(),
            vault::Error::NoDataKey(_) => Self::NotFound,
            error @ (vault::Error::UnknownKeyVersion(_) | vault::Error::Ring(_)) => {
                tracing::error!(error = %error, "a key is missing");
                Self::ContentUnavailable
            }
            error @ (vault::Error::Tampered
            | vault::Error::TooLarge { .. }
            | vault::Error::Randomness
            | vault::Error::Accounts(_)) => {
                tracing::error!(error = %error, "content could not be opened");
                Self::Internal
            }
        }
    }
}

impl Refusal {
    /// Why nothing is made of the log of that response.
    pub(crate) fn of_log(id: ResponseId, error: LogError) -> Self {
        match error {
            LogError::Gap | LogError::Codec(CodecError::Malformed) | LogError::Vault(vault::Error::Tampered) => {
                tracing::error!(response.id = %id, error = %error, "a log could not be read");
                Self::damaged(id)
            }
            LogError::Store(error) => error.into(),
            LogError::Vault(error) => error.into(),
            LogError::Deleted => Self::NotFound,
            error @ LogError::Codec(CodecError::NewerVersion(_)) => {
                tracing::error!(error = %error, "a log could not be read");
                Self::ContentUnavailable
            }
            LogError::Busy => Self::TooManyReads,
            LogError::Stopped => Self::Draining,
            error @ LogError::Panicked => {
                tracing::error!(error = %error, "a log could not be read");
                Self::Internal
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PAUSE, Refusal};
    use crate::store;

    #[test]
    fn what_passes_by_itself_may_be_tried_again_and_what_does_not_may_not() {
        for refusal in [
            Refusal::QueueFull,
            Refusal::KeyBusy,
            Refusal::Draining,
            Refusal::DatabaseUnavailable,
            Refusal::NoLease,
            Refusal::OtherOwner,
            Refusal::NotResponding,
        ] {
            assert_eq!((refusal.is_retryable(), refusal.retry_after()), (true, Some(PAUSE)), "{refusal}");
        }
        for refusal in [Refusal::NotFound, Refusal::NodeFailed, Refusal::Internal, Refusal::IdempotencyKeyReused] {
            assert_eq!((refusal.is_retryable(), refusal.retry_after()), (false, None), "{refusal}");
        }
    }

    #[test]
    fn a_database_that_is_away_is_told_apart_from_one_that_is_broken() {
        for away in [store::Error::Unavailable, store::Error::TimedOut, store::Error::Contended] {
            assert_eq!(Refusal::from(away("no route".into())), Refusal::DatabaseUnavailable);
        }
        assert_eq!(Refusal::from(store::Error::Corrupt { what: "status" }), Refusal::Internal);
    }
}
