//! The key-encryption keys, and the secret that API keys are hashed with.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::cipher::Cipher;
use super::key::SecretKey;
use super::{KeySource, Pepper, RingError};

/// Versioned key-encryption keys, one of them current, and the pepper of API-key hashes.
///
/// Its text form is JSON; every key is 32 bytes in base64url without padding:
/// ```json
/// { "current": 1, "pepper": "…", "keys": { "1": "…" } }
/// ```
#[derive(Clone)]
pub struct KeyRing {
    content: KeyRingContent,
    source: Option<KeySource>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRingContent {
    current: u32,
    pepper: SecretKey,
    keys: BTreeMap<u32, SecretKey>,
}

impl KeyRing {
    /// Makes a ring with one random key. It lives in memory only: what is encrypted under it is lost with it.
    ///
    /// # Errors
    /// [`RingError::Randomness`].
    pub fn generate() -> Result<Self, RingError> {
        let pepper = SecretKey::generate().ok_or(RingError::Randomness)?;
        let key = SecretKey::generate().ok_or(RingError::Randomness)?;
        let content = KeyRingContent { current: 1, pepper, keys: BTreeMap::from([(1, key)]) };
        Ok(Self { content, source: None })
    }

    /// Reads the ring from its source. Blocks: a command may take its time.
    ///
    /// # Errors
    /// Any [`RingError`] but [`RingError::Full`].
    pub fn open(source: KeySource) -> Result<Self, RingError> {
        Self::parse(&source.read()?, Some(source))
    }

    /// Opens the ring in a file. If there is no such file, makes a ring with one random key and writes it there first,
    /// with mode 0600. Blocks.
    ///
    /// # Errors
    /// [`RingError::File`], [`RingError::Randomness`], and those of [`open`](Self::open).
    pub fn open_or_create(path: &Path) -> Result<Self, RingError> {
        let ring = Self::generate()?;
        super::source::create_file(path, &ring.text()?)?;
        Self::open(KeySource::File(path.to_owned()))
    }

    /// Parses the ring's text form.
    ///
    /// # Errors
    /// [`RingError::Syntax`], [`RingError::NoCurrent`].
    pub(super) fn parse(text: &str, source: Option<KeySource>) -> Result<Self, RingError> {
        // The parser's own message would quote the text.
        let content: KeyRingContent = serde_json::from_str(text)
            .map_err(|error| RingError::Syntax { line: error.line(), column: error.column() })?;
        if !content.keys.contains_key(&content.current) {
            return Err(RingError::NoCurrent(content.current));
        }
        Ok(Self { content, source })
    }

    /// The version of the key that data keys are wrapped with from now on.
    #[must_use]
    pub fn current_version(&self) -> u32 {
        self.content.current
    }

    /// The secret that API keys are hashed with. It stays when keys are rotated.
    #[must_use]
    pub fn pepper(&self) -> Pepper {
        Pepper::new(self.content.pepper.expose())
    }

    /// The same ring with one more random key, which is current.
    pub(super) fn with_next_version(&self) -> Result<Self, RingError> {
        let last = self.content.keys.keys().next_back().copied().unwrap_or_default();
        let next = last.checked_add(1).ok_or(RingError::Full)?;
        let mut ring = self.clone();
        ring.content.keys.insert(next, SecretKey::generate().ok_or(RingError::Randomness)?);
        ring.content.current = next;
        Ok(ring)
    }

    /// The cipher of one version.
    pub(super) fn cipher(&self, version: u32) -> Option<Cipher> {
        self.content.keys.get(&version).map(|key| Cipher::from_secret(key, version))
    }

    pub(super) fn source(&self) -> Option<&KeySource> {
        self.source.as_ref()
    }

    pub(super) fn text(&self) -> Result<Zeroizing<String>, RingError> {
        serde_json::to_string_pretty(&self.content)
            .map(Zeroizing::new)
            .map_err(|error| RingError::Syntax { line: error.line(), column: error.column() })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("current", &self.content.current).finish_non_exhaustive()
    }
}
