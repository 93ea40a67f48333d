//! How an actor ended.

use std::{
    any::Any,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

/// How an actor ended: what its parent is told.
///
/// Log its `Display`. Neither that nor its `Debug` tells the text of a panic, which may quote what the actor worked on;
/// [`panic_text`](Self::panic_text) does. `Debug` has a short fingerprint of the text, so that two different panics look
/// different in a failed assertion.
///
/// ```
/// use antiphon_supervision::Exit;
///
/// let exit = Exit::Panicked("no room for ada's letter".to_owned());
/// assert_eq!(exit.to_string(), "panicked");
/// assert_eq!(exit.panic_text(), Some("no room for ada's letter"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Exit {
    /// It stopped by itself.
    Stopped,
    /// Its parent killed it, or the arbiter that it lived on is gone.
    Killed,
    /// It no longer read its mailbox, and was killed for that.
    Hung,
    /// It panicked, with this text.
    Panicked(String),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Hung => "hung",
            Self::Panicked(_) => "panicked",
        })
    }
}

// A panic's text may quote content, and content is in no log. The fingerprint is too short to be guessed back.
impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let Some(text) = self.panic_text() else { return Ok(()) };
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        write!(f, " #{:04x}", hasher.finish() & 0xffff)
    }
}

impl Exit {
    /// The text of the panic that it was. It may quote what the actor worked on.
    #[must_use]
    pub fn panic_text(&self) -> Option<&str> {
        match self {
            Self::Panicked(text) => Some(text),
            Self::Stopped | Self::Killed | Self::Hung => None,
        }
    }

    pub(super) fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "a panic without a text".to_owned()))
    }
}
