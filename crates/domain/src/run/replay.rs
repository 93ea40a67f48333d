//! Recognizing what was received already when a provider's call is replayed from its beginning.

use std::{
    hash::{DefaultHasher, Hasher as _},
    io,
};

use crate::ProviderEvent;

/// How much of a provider's call was received so far, and a fingerprint of it.
///
/// Two hashes of the events as JSON, 128 bits together. They detect mistakes of a provider. They need not resist an
/// attack, since a provider can send what it wants in any case.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplayFingerprint {
    events: u64,
    hashes: Hashes,
}

#[derive(Debug, Clone)]
struct Hashes(Box<[DefaultHasher; 2]>);

impl Default for Hashes {
    fn default() -> Self {
        let mut hashes = Box::new([DefaultHasher::new(), DefaultHasher::new()]);
        // Without this both would be the same.
        hashes[1].write_u8(1);
        Self(hashes)
    }
}

impl io::Write for Hashes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.iter_mut().for_each(|hash| hash.write(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReplayFingerprint {
    /// Adds an event that was received.
    pub(super) fn add(&mut self, event: &ProviderEvent) {
        // Nothing fails here: keys are strings, and hashing takes everything.
        let _written = serde_json::to_writer(&mut self.hashes, event);
        // Separates two events from a single one of the same length.
        self.hashes.0.iter_mut().for_each(|hash| hash.write_u8(0xff));
        self.events += 1;
    }

    /// Makes the filter for a replay of the call from its beginning.
    pub(super) fn replay(&self) -> ReplayFilter {
        ReplayFilter { known: self.clone(), replayed: Self::default() }
    }

    fn digest(&self) -> [u64; 2] {
        self.hashes.0.each_ref().map(DefaultHasher::finish)
    }
}

impl<'a> FromIterator<&'a ProviderEvent> for ReplayFingerprint {
    fn from_iter<T: IntoIterator<Item = &'a ProviderEvent>>(events: T) -> Self {
        events.into_iter().fold(Self::default(), |mut fingerprint, event| {
            fingerprint.add(event);
            fingerprint
        })
    }
}

/// A filter that lets through what is new of a call that is replayed.
#[derive(Debug)]
pub(super) struct ReplayFilter {
    known: ReplayFingerprint,
    replayed: ReplayFingerprint,
}

/// The replayed call differs from the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplayDiverged;

impl ReplayFilter {
    /// Whether the replay has not reached the end of what was received before.
    pub(super) fn is_replaying(&self) -> bool {
        self.replayed.events < self.known.events
    }

    /// Returns the event if it is new; none if it was received before. No new event is let through before all that was
    /// received has been replayed, word for word.
    ///
    /// # Errors
    /// [`ReplayDiverged`], as soon as a difference is found.
    pub(super) fn take_new(&mut self, event: ProviderEvent) -> Result<Option<ProviderEvent>, ReplayDiverged> {
        if !self.is_replaying() {
            return Ok(Some(event));
        }
        self.replayed.add(&event);
        if !self.is_replaying() && self.replayed.digest() != self.known.digest() {
            return Err(ReplayDiverged);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{ReplayDiverged, ReplayFingerprint};
    use crate::ProviderEvent;

    fn text(text: &str) -> ProviderEvent {
        ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new() }
    }

    fn received(texts: &[&str]) -> ReplayFingerprint {
        texts.iter().map(|said| text(said)).collect::<Vec<_>>().iter().collect()
    }

    #[test]
    fn what_was_received_is_left_out_and_what_follows_is_new() {
        let mut filter = received(&["a", "b"]).replay();
        assert_eq!(filter.take_new(text("a")), Ok(None));
        assert_eq!(filter.take_new(text("b")), Ok(None));
        assert_eq!(filter.take_new(text("b")), Ok(Some(text("b"))));
    }

    #[test]
    fn where_nothing_was_received_all_is_new() {
        assert_eq!(ReplayFingerprint::default().replay().take_new(text("a")), Ok(Some(text("a"))));
    }

    #[test]
    fn a_divergence_is_noticed_before_anything_new_is_let_through() {
        let mut filter = received(&["a", "b"]).replay();
        assert_eq!(filter.take_new(text("x")), Ok(None));
        assert_eq!(filter.take_new(text("b")), Err(ReplayDiverged));
        // The same words cut elsewhere differ too: events would not be the same.
        let mut filter = received(&["a", "b"]).replay();
        assert_eq!(filter.take_new(text("ab")), Ok(None));
        assert_eq!(filter.take_new(text("c")), Err(ReplayDiverged));
    }

    #[test]
    fn the_same_bytes_in_another_order_have_another_fingerprint() {
        let digests = [&["a", "b"][..], &["b", "a"], &["ab", ""], &["", "ab"]].map(|texts| received(texts).digest());
        for (index, digest) in digests.iter().enumerate() {
            assert!(digests[..index].iter().all(|other| other != digest && digest[0] != digest[1]));
        }
    }
}
