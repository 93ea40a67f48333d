//! Secret bytes: without `Debug` or `Display`, wiped when dropped.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize as _, Zeroizing};

/// 256 secret bits.
#[derive(Clone)]
pub(super) struct SecretKey(Zeroizing<[u8; Self::BYTES]>);

impl SecretKey {
    /// The size of every key.
    pub(super) const BYTES: usize = 32;

    /// Makes a random key. None if the operating system has no randomness.
    pub(super) fn generate() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
        Some(Self(bytes))
    }

    /// The key with these bytes. None unless there are exactly 32.
    pub(super) fn from_slice(slice: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        if slice.len() != Self::BYTES {
            return None;
        }
        bytes.copy_from_slice(slice);
        Some(Self(bytes))
    }

    /// The secret itself.
    pub(super) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Serialize for SecretKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.expose()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for SecretKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut bytes =
            URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(|_| de::Error::custom("a key is not base64url"))?;
        let key = Self::from_slice(&bytes);
        bytes.zeroize();
        key.ok_or_else(|| de::Error::custom("a key has not 256 bits"))
    }
}
