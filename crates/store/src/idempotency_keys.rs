//! Idempotency keys: which response was made with which key of a user.
//!
//! They are claimed by an [`AdmissionRecord`](super::AdmissionRecord) and released by an
//! [`EndingRecord`](super::EndingRecord).

use async_trait::async_trait;

use super::Error;
use antiphon_domain::Timestamp;
use antiphon_protocol::{ResponseId, UserId};

/// The idempotency keys of users, by digest.
#[async_trait]
pub trait IdempotencyKeyStore: std::fmt::Debug + Send + Sync + 'static {
    /// The response that has claimed the idempotency key of that digest, if one has.
    async fn idempotency_key(&self, user: UserId, key: &[u8; 32]) -> Result<Option<IdempotencyRecord>, Error>;

    /// Deletes idempotency keys that were claimed before that time and whose response is deleted or was never stored:
    /// a limited number of them, the oldest first. Returns how many.
    async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, Error>;
}

/// An idempotency key that a response has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The response that claimed it; it may have been deleted.
    pub response: ResponseId,
    /// The digest of the request that it was claimed with.
    pub fingerprint: [u8; 32],
    /// When it was claimed.
    pub created_at: Timestamp,
}
