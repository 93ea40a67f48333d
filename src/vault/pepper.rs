//! The secret that turns API keys and idempotency keys into hashes.

use bytes::Bytes;
use ring::hmac;

/// The secret that turns API keys into hashes: a copy of the database alone lets nobody guess a key or
/// make one.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl Pepper {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// HMAC-SHA-256 of an API key's secret part.
    pub(crate) fn hash(&self, secret: &[u8]) -> Bytes {
        Bytes::copy_from_slice(hmac::sign(&self.0, secret).as_ref())
    }

    /// HMAC-SHA-256 of these parts, all but the last of a fixed length, for one purpose. Digests for different
    /// purposes, and hashes of API keys, never coincide.
    pub(crate) fn digest(&self, purpose: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        // No API key has a NUL.
        context.update(purpose.as_bytes());
        context.update(&[0]);
        parts.iter().for_each(|part| context.update(part));
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    /// Whether it is the hash of that secret, compared in constant time.
    pub(crate) fn verify(&self, secret: &[u8], hash: &[u8]) -> bool {
        hmac::verify(&self.0, secret, hash).is_ok()
    }
}

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper")
    }
}
