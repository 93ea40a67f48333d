//! Recognizing what was heard already when a provider tells a call again.

use ring::digest::{Context, SHA256};

use crate::domain::ProviderEvent;
use crate::fault::{self, FaultPoint};

/// What was heard of a provider's call so far: how much, and a fingerprint of it.
#[derive(Clone)]
pub(super) struct Heard {
    events: u64,
    fingerprint: Context,
}

impl Default for Heard {
    fn default() -> Self {
        Self { events: 0, fingerprint: Context::new(&SHA256) }
    }
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heard").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Heard {
    /// This was heard too.
    ///
    /// # Errors
    /// If the event can't be encoded.
    pub(super) fn add(&mut self, event: &ProviderEvent) -> postcard::Result<()> {
        self.fingerprint.update(&postcard::to_stdvec(event)?);
        self.events += 1;
        Ok(())
    }

    /// The call is told again, from its beginning.
    pub(super) fn again(&self) -> Retelling {
        Retelling { known: self.clone(), told: Self::default() }
    }
}

/// A call that is told again.
#[derive(Debug)]
pub(super) struct Retelling {
    known: Heard,
    told: Heard,
}

/// The provider tells another story than the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnotherStory;

impl Retelling {
    /// Whether what was heard before has not been repeated to its end.
    pub(super) fn is_replaying(&self) -> bool {
        self.told.events < self.known.events
    }

    /// The event if it is new; none if it was heard before. No new event is let through before all that was heard has
    /// been told again, word for word.
    ///
    /// # Errors
    /// [`AnotherStory`], as soon as that is known.
    pub(super) fn take(&mut self, event: ProviderEvent) -> Result<Option<ProviderEvent>, AnotherStory> {
        if !self.is_replaying() {
            return Ok(Some(event));
        }
        self.told.add(&event).map_err(|_| AnotherStory)?;
        fault::reach(FaultPoint::FactRecognized);
        let digest = |heard: &Heard| heard.fingerprint.clone().finish();
        if !self.is_replaying() && digest(&self.told).as_ref() != digest(&self.known).as_ref() {
            return Err(AnotherStory);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{AnotherStory, Heard};
    use crate::domain::ProviderEvent;

    fn text(text: &str) -> ProviderEvent {
        ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new() }
    }

    fn heard(texts: &[&str]) -> Heard {
        let mut heard = Heard::default();
        assert!(texts.iter().all(|said| heard.add(&text(said)).is_ok()));
        heard
    }

    #[test]
    fn what_was_heard_is_left_out_and_what_follows_is_new() {
        let mut retelling = heard(&["a", "b"]).again();
        assert_eq!(retelling.take(text("a")), Ok(None));
        assert_eq!(retelling.take(text("b")), Ok(None));
        assert_eq!(retelling.take(text("b")), Ok(Some(text("b"))));
    }

    #[test]
    fn where_nothing_was_heard_all_is_new() {
        assert_eq!(Heard::default().again().take(text("a")), Ok(Some(text("a"))));
    }

    #[test]
    fn another_story_is_noticed_before_anything_new_is_let_through() {
        let mut retelling = heard(&["a", "b"]).again();
        assert_eq!(retelling.take(text("x")), Ok(None));
        assert_eq!(retelling.take(text("b")), Err(AnotherStory));
        // The same words cut elsewhere are another story too: events would not be the same.
        let mut retelling = heard(&["a", "b"]).again();
        assert_eq!(retelling.take(text("ab")), Ok(None));
        assert_eq!(retelling.take(text("c")), Err(AnotherStory));
    }
}
