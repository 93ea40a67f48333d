//! How an actor ended.

use std::{any::Any, fmt};

/// How an actor ended: what its parent is told. Its `Debug` does not tell the text of a panic, which may quote what
/// the actor worked on.
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

// A panic's text may quote content, and content is in no log.
impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Hung => "hung",
            Self::Panicked(_) => "panicked",
        })
    }
}

impl Exit {
    pub(super) fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "a panic without a text".to_owned()))
    }
}
