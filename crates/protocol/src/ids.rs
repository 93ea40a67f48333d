//! The ids of the API: a prefix for the kind, and the 32 hex digits of a UUID.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is no id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that begins with '{prefix}' and goes on with 32 hexadecimal digits")]
pub struct InvalidId {
    prefix: &'static str,
}

impl InvalidId {
    /// The prefix that was expected.
    #[must_use]
    pub fn prefix(&self) -> &'static str {
        self.prefix
    }
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes a fresh id; ids made later sort after it (UUID version 7, RFC 9562).
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id of an existing UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID without its prefix.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { prefix: $prefix };
                let digits = text.strip_prefix($prefix).filter(|digits| digits.len() == 32).ok_or(invalid.clone())?;
                Uuid::try_parse(digits).map(Self).map_err(|_| invalid)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
    };
}

prefixed_id! {
    /// A response, from its admission on.
    ResponseId, "resp_"
}

prefixed_id! {
    /// The user whose data key encrypts a response.
    UserId, "user_"
}

/// An item of a response's input or output.
///
/// Ids of our own derive from the response's id and the item's position, so that every fold of a log gives the same
/// ones. A client may bring its own ids for input items; these are kept as they are.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemId(Arc<str>);

impl ItemId {
    /// The id of the item at `position` of a response's output: a name-based UUID (version 5) in the
    /// response's own namespace.
    #[must_use]
    pub fn of_output(prefix: &str, response: ResponseId, position: u32) -> Self {
        Self::derived(prefix, response, "output", position)
    }

    /// The id of the item at `position` of a response's input, where the client gave none.
    #[must_use]
    pub fn of_input(prefix: &str, response: ResponseId, position: u32) -> Self {
        Self::derived(prefix, response, "input", position)
    }

    fn derived(prefix: &str, response: ResponseId, side: &str, position: u32) -> Self {
        let uuid = Uuid::new_v5(&response.uuid(), format!("{side}/{position}").as_bytes());
        Self(format!("{prefix}{}", uuid.simple()).into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ItemId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
