//! A provider's own id of its response, checked so that it can be part of a URL.

use std::fmt;

use crate::Error;

/// The longest id, in bytes: as many as servers take of a URL. Gateways put the state of a response into its id.
const LONGEST: usize = 8000;

/// An id of ASCII letters, digits, `-` and `_`, which can stand in a path as it is. It comes from a provider: a longer
/// id, or one with other characters, could make the URL that of something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamId(String);

impl UpstreamId {
    /// # Errors
    /// If it is empty, too long, or has any other character.
    pub(crate) fn parse(id: &str) -> Result<Self, Error> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=LONGEST).contains(&id.len()) && id.bytes().all(fits) {
            Ok(Self(id.to_owned()))
        } else {
            Err(Error::Protocol { what: "its id of a response is none that it can be asked by" })
        }
    }
}

impl fmt::Display for UpstreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
