//! The text form of an API key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

const PREFIX: &str = "ak_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;

/// A whole API key: `ak_`, 16 hexadecimal digits that anybody may see, `_`, and 256 random bits in
/// base64url. Shown to its owner once; only a hash of the secret part is kept.
///
/// It has no `Debug` or `Display`; [`expose`](Self::expose) is the one way to its text.
#[expect(missing_debug_implementations, reason = "it is a secret")]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Makes a random key. None if the operating system has no randomness.
    pub(super) fn generate() -> Option<Self> {
        let mut id = [0; ID_BYTES];
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        let random = SystemRandom::new();
        random.fill(&mut id).and_then(|()| random.fill(secret.as_mut_slice())).ok()?;
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice()));
        Some(Self(Zeroizing::new(format!("{PREFIX}{:016x}_{}", u64::from_be_bytes(id), *secret))))
    }

    /// The key as its owner sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The public id (with its `ak_`) and the secret part of a key's text; none if it is not of the form.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.split_at_checked(PREFIX.len() + 2 * ID_BYTES)?;
    let digits = id.strip_prefix(PREFIX)?;
    let secret = secret.strip_prefix('_')?;
    let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hex && secret.len() == SECRET_CHARS).then_some((id, secret))
}
