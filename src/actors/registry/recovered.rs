//! What becomes of a try to recover a response whose owner is gone.

use crate::actors::response_supervisor::OrphanedRun;
use crate::domain::{RunPlan, SetAsideReason};
use crate::journal::{CodecError, LogError};
use crate::store::{self, AccountError};
use crate::vault::{self, ResponseKey};

/// The result of a try to recover a response.
#[derive(Debug)]
pub(super) enum Recovered {
    /// The response has its ending, or was deleted.
    Over,
    /// Another owner has the response.
    Taken,
    /// The response can be resumed.
    Resumable(Box<ResumableRun>),
}

/// A response that can be resumed.
#[derive(Debug)]
pub(super) struct ResumableRun {
    pub(super) plan: RunPlan,
    pub(super) key: ResponseKey,
    pub(super) orphan: OrphanedRun,
    pub(super) start: ResumedStart,
}

/// Where a resumed response begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResumedStart {
    /// In the queue of background responses, by its age.
    Queued,
    /// At once: it had begun, and its provider may still work for it.
    UnderWay,
}

/// Why a response can be neither settled nor resumed now. Nothing is written then that would say otherwise.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecoveryError {
    /// Its row can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Its log can't be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A newer program writes its log.
    #[error("its log has version {0}, which only a newer program can read")]
    NewerVersion(i16),
    /// Its ending can't be encrypted.
    #[error("its ending can't be sealed")]
    Seal(#[source] LogError),
    /// This node has no lease.
    #[error("this server has no lease")]
    NoLease,
    /// The database refuses a new owner or the ending.
    #[error("the database refuses to write it")]
    Refused,
}

impl RecoveryError {
    /// Why the response is set aside if this lasts. None if it says nothing of the response: the database is away,
    /// or the lease is over.
    pub(super) fn set_aside_reason(&self) -> Option<SetAsideReason> {
        match self {
            Self::Store(error) => of_store(error),
            Self::Log(error) => of_log(error),
            Self::NoLease => None,
            Self::NewerVersion(_) => Some(SetAsideReason::NewerVersion),
            Self::Seal(_) => Some(SetAsideReason::EndingUnsealed),
            Self::Refused => Some(SetAsideReason::EndingRefused),
        }
    }
}

fn of_log(error: &LogError) -> Option<SetAsideReason> {
    match error {
        LogError::Store(error) | LogError::Vault(vault::Error::Accounts(AccountError::Store(error))) => of_store(error),
        LogError::Vault(vault::Error::UnknownKeyVersion(_) | vault::Error::Ring(_) | vault::Error::Randomness) => {
            Some(SetAsideReason::KeyMissing)
        }
        LogError::Vault(
            vault::Error::Tampered
            | vault::Error::TooLarge { .. }
            | vault::Error::NoDataKey(_)
            | vault::Error::Accounts(_),
        )
        | LogError::Codec(CodecError::Malformed)
        | LogError::Gap
        | LogError::Panicked => Some(SetAsideReason::LogUnreadable),
        // The node itself is not bounded, and one that stops decides nothing.
        LogError::Busy | LogError::Stopped => None,
        LogError::Codec(CodecError::NewerVersion(_)) => Some(SetAsideReason::NewerVersion),
        // The next look finds no row.
        LogError::Deleted => None,
    }
}

const fn of_store(error: &store::Error) -> Option<SetAsideReason> {
    match error {
        store::Error::Unavailable(_)
        | store::Error::TimedOut(_)
        | store::Error::Full(_)
        | store::Error::Contended(_) => None,
        store::Error::Failed(_) | store::Error::Corrupt { .. } | store::Error::UnknownCursor => {
            Some(SetAsideReason::RowUnreadable)
        }
    }
}
