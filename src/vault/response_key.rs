//! The keys that content is encrypted with.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use ring::aead::{AES_256_GCM, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac::{self, HMAC_SHA256};

use super::cipher::Cipher;
use super::key::SecretKey;
use super::{CiphertextContext, Error};
use crate::protocol::{ItemId, ResponseId, UserId};

/// The version of every data key and so of every content ciphertext: a user's data key is made once and
/// only ever wrapped anew.
const DATA_KEY_VERSION: u32 = 1;

/// The longest id of an item that is stored as it is. Those of this server and of OpenAI are shorter.
const LONGEST_PLAIN_ID: usize = 64;

/// A user's data key, unwrapped.
#[derive(Clone)]
pub struct UserKey {
    user: UserId,
    secret: SecretKey,
}

impl UserKey {
    pub(super) fn new(user: UserId, secret: SecretKey) -> Self {
        Self { user, secret }
    }

    /// The key of one of the user's responses: HKDF-SHA-256 of the data key, with the response's id as info.
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "HKDF fails only for outputs of more than 8,160 bytes"
    )]
    pub fn response_key(&self, id: ResponseId) -> ResponseKey {
        let uuid = id.uuid();
        let info: [&[u8]; 1] = [uuid.as_bytes()];
        let extracted = Salt::new(HKDF_SHA256, b"antiphon response key").extract(self.secret.expose());
        let output = extracted.expand(&info, &AES_256_GCM).expect("the output is 32 bytes");
        let cipher = Cipher::new(UnboundKey::from(output), DATA_KEY_VERSION);
        let info: [&[u8]; 2] = [uuid.as_bytes(), b"item ids"];
        let output = extracted.expand(&info, HMAC_SHA256).expect("the output is 32 bytes");
        let item_ids = hmac::Key::from(output);
        ResponseKey(Arc::new(SharedResponseKey { user: self.user, response: id, cipher, item_ids }))
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserKey({})", self.user)
    }
}

/// The key of one response. Cheap to clone.
#[derive(Clone)]
pub struct ResponseKey(Arc<SharedResponseKey>);

struct SharedResponseKey {
    user: UserId,
    response: ResponseId,
    cipher: Cipher,
    item_ids: hmac::Key,
}

impl ResponseKey {
    /// Whose response it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.0.user
    }

    /// The id by which an item is found in the store, where ids stand in the clear: the item's own, unless it may be text.
    /// Then it is a digest that nobody can make without this key.
    #[must_use]
    pub fn stored_item_id(&self, id: &ItemId) -> ItemId {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if id.as_str().len() <= LONGEST_PLAIN_ID && id.as_str().bytes().all(is_plain) {
            return id.clone();
        }
        let digest = hmac::sign(&self.0.item_ids, id.as_str().as_bytes());
        let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        ItemId::from(format!("digest_{digits}"))
    }

    /// Encrypts what is to be stored in `context`. Two calls never give the same bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above 80 MiB, [`Error::Randomness`].
    pub fn seal(&self, context: CiphertextContext, plaintext: &[u8]) -> Result<Bytes, Error> {
        self.0.cipher.seal(&self.bound_to(context), plaintext)
    }

    /// Decrypts what was stored in `context`.
    ///
    /// # Errors
    /// [`Error::Tampered`] if the ciphertext was changed or belongs elsewhere, [`Error::TooLarge`] above
    /// 80 MiB, [`Error::UnknownKeyVersion`].
    pub fn open(&self, context: CiphertextContext, ciphertext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut opened = self.0.cipher.open(&self.bound_to(context), ciphertext)?;
        Ok(std::mem::take(&mut *opened))
    }

    fn bound_to(&self, context: CiphertextContext) -> Vec<u8> {
        context.bytes(self.0.user, self.0.response)
    }
}

impl fmt::Debug for ResponseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseKey({})", self.0.response)
    }
}
