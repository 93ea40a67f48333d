//! The secret that turns API keys into hashes.

use bytes::Bytes;
use ring::hmac;

/// The secret that turns API keys into hashes: a copy of the database alone lets nobody guess a key or
/// make one.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl Pepper {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// HMAC-SHA-256 of an API key's secret part.
    pub(crate) fn hash(&self, secret: &[u8]) -> Bytes {
        Bytes::copy_from_slice(hmac::sign(&self.0, secret).as_ref())
    }

    /// Whether it is the hash of that secret; takes as long for every answer.
    pub(crate) fn verify(&self, secret: &[u8], hash: &[u8]) -> bool {
        hmac::verify(&self.0, secret, hash).is_ok()
    }
}

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper")
    }
}
