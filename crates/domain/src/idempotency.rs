//! Recognizing a repeated request.

/// What is kept of an idempotency key and of the request that came with it: digests under a secret of the server,
/// so that a copy of the database tells neither.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// The digest of the user and the key.
    pub key: [u8; 32],
    /// The digest of the request's body, as it came.
    pub fingerprint: [u8; 32],
}

impl std::fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Idempotency")
    }
}
