//! The format of every ciphertext, and how it is made and opened.
//!
//! ```text
//! format (1 byte) | key version (4 bytes, big endian) | nonce (12 bytes) | ciphertext | tag (16 bytes)
//! ```
//! The first two are bound into the associated data as well.

use bytes::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::Error;
use super::key::SecretKey;

/// The largest plaintext: more than the largest request body that can be configured.
pub(super) const MAX_PLAINTEXT: usize = 80 * 1024 * 1024;

const FORMAT: u8 = 1;
const HEADER_LEN: usize = 1 + size_of::<u32>();
const OVERHEAD: usize = HEADER_LEN + NONCE_LEN + 16;

/// A key ready for use, with the version that its ciphertexts carry.
pub(super) struct Cipher {
    key: LessSafeKey,
    version: u32,
}

impl Cipher {
    pub(super) fn new(key: UnboundKey, version: u32) -> Self {
        Self { key: LessSafeKey::new(key), version }
    }

    #[expect(clippy::expect_used, reason = "a key is refused only for its length, and every secret has 32 bytes")]
    pub(super) fn from_secret(secret: &SecretKey, version: u32) -> Self {
        Self::new(UnboundKey::new(&AES_256_GCM, secret.expose()).expect("a secret has 32 bytes"), version)
    }

    /// Encrypts under a fresh random nonce, bound to `context`.
    pub(super) fn seal(&self, context: &[u8], plaintext: &[u8]) -> Result<Bytes, Error> {
        let too_large = || Error::TooLarge { bytes: plaintext.len() };
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(too_large());
        }
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| Error::Randomness)?;
        let header = header(self.version);
        let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let aad = Aad::from(bound(&header, context));
        let body = sealed.get_mut(HEADER_LEN + NONCE_LEN..).unwrap_or_default();
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, body)
            .map_err(|_| too_large())?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed.into())
    }

    /// Decrypts what [`seal`](Self::seal) made for the same `context`. Its size is checked before anything
    /// is allocated for it.
    pub(super) fn open(&self, context: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let bytes = ciphertext.len().checked_sub(OVERHEAD).ok_or(Error::Tampered)?;
        if bytes > MAX_PLAINTEXT {
            return Err(Error::TooLarge { bytes });
        }
        let version = version_of(ciphertext)?;
        if version != self.version {
            return Err(Error::UnknownKeyVersion(version));
        }
        let (nonce, body) = ciphertext
            .get(HEADER_LEN..)
            .and_then(|rest| rest.split_first_chunk::<NONCE_LEN>())
            .ok_or(Error::Tampered)?;
        let aad = Aad::from(bound(&header(version), context));
        let mut opened = Zeroizing::new(body.to_vec());
        self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut opened).map_err(|_| Error::Tampered)?;
        opened.truncate(bytes);
        Ok(opened)
    }
}

/// The version of the key that a ciphertext names.
pub(super) fn version_of(ciphertext: &[u8]) -> Result<u32, Error> {
    match ciphertext.first_chunk::<HEADER_LEN>() {
        Some([FORMAT, version @ ..]) => Ok(u32::from_be_bytes(*version)),
        Some(_) | None => Err(Error::Tampered),
    }
}

fn header(version: u32) -> [u8; HEADER_LEN] {
    let [a, b, c, d] = version.to_be_bytes();
    [FORMAT, a, b, c, d]
}

fn bound(header: &[u8], context: &[u8]) -> Vec<u8> {
    [header, context].concat()
}
