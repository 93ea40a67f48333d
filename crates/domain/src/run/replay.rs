//! Recognizing what was received already when a provider's call is replayed from its beginning.

use std::collections::{BTreeMap, btree_map::Entry};
use std::hash::{DefaultHasher, Hasher as _};

use super::bare_calls::NO_ARGUMENTS;
use crate::{CallIndex, ProviderEvent};

/// How much of a provider's call was received so far, and a fingerprint of it.
///
/// Two hashes, 128 bits together, of what was said: words, calls and their arguments. What an earlier version of this
/// server received of the same call has the same fingerprint, although it kept the fields of a provider in another form.
/// They detect mistakes of a provider. They need not resist an attack, since a provider can send what it wants in any
/// case.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplayFingerprint {
    /// How many events were hashed.
    events: u64,
    hashes: Hashes,
    /// The calls that have arguments, and whether these began with the piece [`NO_ARGUMENTS`]. That piece is not hashed:
    /// version 0.1.0 did not give it to calls without arguments.
    argued: BTreeMap<CallIndex, bool>,
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

impl Hashes {
    fn write(&mut self, bytes: &[u8]) {
        for hash in self.0.iter_mut() {
            hash.write(bytes);
            // Separates two texts from a single one of the same length: no text has this byte.
            hash.write_u8(0xff);
        }
    }
}

impl ReplayFingerprint {
    /// Adds an event that was received.
    pub(super) fn add(&mut self, event: &ProviderEvent) {
        if self.begin_arguments(event).is_some_and(|(_, none)| none) {
            return;
        }
        let (number, words) = compared(event);
        self.hashes.write(event.name().as_bytes());
        self.hashes.write(&number.to_le_bytes());
        words.iter().for_each(|words| self.hashes.write(words.as_bytes()));
        self.events += 1;
    }

    /// If the event is the first piece of a call's arguments: the call, and whether the piece stands for none.
    fn begin_arguments(&mut self, event: &ProviderEvent) -> Option<(CallIndex, bool)> {
        let ProviderEvent::FunctionCallArguments { call, text } = event else { return None };
        let Entry::Vacant(first) = self.argued.entry(*call) else { return None };
        Some((*call, *first.insert(text == NO_ARGUMENTS)))
    }

    /// Makes the filter for a replay of the call from its beginning.
    pub(super) fn replay(&self) -> ReplayFilter {
        ReplayFilter { known: self.clone(), replayed: Self::default() }
    }

    /// Whether the piece that stands for no arguments was received of that call.
    fn had_none(&self, call: CallIndex) -> bool {
        self.argued.get(&call).copied().unwrap_or_default()
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

/// What of an event is compared: its number and its words. What else a provider sent with it is kept as it came first.
fn compared(event: &ProviderEvent) -> (u32, [&str; 2]) {
    match event {
        ProviderEvent::Opened { provider_response_id } => {
            (0, [provider_response_id.as_deref().unwrap_or_default(), ""])
        }
        ProviderEvent::Text { text, .. } | ProviderEvent::Refusal { text } | ProviderEvent::Reasoning { text } => {
            (0, [text, ""])
        }
        ProviderEvent::ReasoningSummary { part: number, text }
        | ProviderEvent::FunctionCallArguments { call: number, text }
        | ProviderEvent::OtherItemEvent { item: number, event: text, .. } => (*number, [text, ""]),
        ProviderEvent::FunctionCallStarted { call, call_id, name } => (*call, [call_id, name]),
        ProviderEvent::FunctionCallFinished { call: number, .. }
        | ProviderEvent::OtherItemStarted { item: number, .. }
        | ProviderEvent::OtherItemFinished { item: number, .. } => (*number, ["", ""]),
        ProviderEvent::Annotation { .. }
        | ProviderEvent::EncryptedReasoning { .. }
        | ProviderEvent::ContentPartFinished
        | ProviderEvent::ItemFinished { .. }
        | ProviderEvent::Usage(_)
        | ProviderEvent::Finished(_)
        | ProviderEvent::InputUsage(_)
        | ProviderEvent::ServiceTier { .. } => (0, ["", ""]),
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
        match self.replayed.begin_arguments(&event) {
            Some((call, true)) if self.is_replaying() || self.known.had_none(call) => return Ok(None),
            Some((call, false)) if self.known.had_none(call) => return Err(ReplayDiverged),
            Some(_) | None => {}
        }
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
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::json;

    use super::{ReplayDiverged, ReplayFingerprint};
    use crate::ProviderEvent;
    use antiphon_protocol::JsonObject;

    fn fields(json: serde_json::Value) -> JsonObject {
        serde_json::from_value(json).unwrap()
    }

    fn sealed(encrypted_content: &str) -> ProviderEvent {
        ProviderEvent::EncryptedReasoning { encrypted_content: encrypted_content.to_owned() }
    }

    fn arguments(text: &str) -> ProviderEvent {
        ProviderEvent::FunctionCallArguments { call: 0, text: text.to_owned() }
    }

    fn call() -> ProviderEvent {
        ProviderEvent::FunctionCallStarted { call: 0, call_id: "c1".to_owned(), name: "f".to_owned() }
    }

    /// One answer, as version 0.1.0 received it.
    fn of_version_0_1_0() -> Vec<ProviderEvent> {
        vec![
            ProviderEvent::Reasoning { text: "Look.".to_owned() },
            sealed("gAAAA"),
            ProviderEvent::ItemFinished { extra: fields(json!({ "a": 1, "b": 2 })) },
            call(),
            ProviderEvent::FunctionCallFinished { call: 0, extra: fields(json!({ "a": 1, "b": 2 })) },
            ProviderEvent::OtherItemStarted { item: 0, fields: fields(json!({ "a": 1, "type": "search" })) },
            text("Done."),
        ]
    }

    /// The same answer, as it is received now.
    fn of_this_version() -> Vec<ProviderEvent> {
        let marked = || fields(json!({ "b": 2, "a": 1, "antiphon_origin": "x" }));
        vec![
            ProviderEvent::Reasoning { text: "Look.".to_owned() },
            sealed("antiphon.1.x"),
            ProviderEvent::ItemFinished { extra: marked() },
            call(),
            arguments("{}"),
            ProviderEvent::FunctionCallFinished { call: 0, extra: marked() },
            ProviderEvent::OtherItemStarted {
                item: 0,
                fields: fields(json!({ "type": "search", "a": 1, "antiphon_origin": "x" })),
            },
            text("Done."),
        ]
    }

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

    /// A process that was updated finds the log of the one before, cut anywhere.
    #[test]
    fn what_an_earlier_version_received_is_recognized() {
        let (before, now) = (of_version_0_1_0(), of_this_version());
        for end in 0..=before.len() {
            let known: ReplayFingerprint = before[..end].iter().collect();
            let mut filter = known.replay();
            let new = now.iter().filter_map(|event| filter.take_new(event.clone()).unwrap()).collect::<Vec<_>>();
            // The call is complete in that log, without the piece for no arguments.
            let rest = if end < 5 { end } else { end + 1 };
            assert_eq!(new, now[rest..], "cut at {end}");
        }
    }

    #[test]
    fn the_piece_for_no_arguments_is_told_once() {
        let now = of_this_version();
        for end in 0..=now.len() {
            let known: ReplayFingerprint = now[..end].iter().collect();
            let mut filter = known.replay();
            let new = now.iter().filter_map(|event| filter.take_new(event.clone()).unwrap()).collect::<Vec<_>>();
            assert_eq!(new, now[end..], "cut at {end}");
        }
        let known: ReplayFingerprint = now[..5].iter().collect();
        let mut filter = known.replay();
        let replayed: Vec<_> = now[..4].iter().map(|event| filter.take_new(event.clone())).collect();
        assert_eq!(replayed, vec![Ok(None); 4]);
        assert_eq!(filter.take_new(arguments("{\"a\"")), Err(ReplayDiverged));
    }

    #[test]
    fn other_words_calls_and_arguments_are_noticed() {
        let known = [call(), arguments("{\"a\":1}"), text("a")];
        let other = ProviderEvent::FunctionCallStarted { call: 0, call_id: "c1".to_owned(), name: "g".to_owned() };
        for (place, other) in [(0, other), (1, arguments("{}")), (1, arguments("{\"a\":2}")), (2, text("b"))] {
            let mut replayed = known.clone();
            replayed[place] = other;
            let mut filter = known.iter().collect::<ReplayFingerprint>().replay();
            let results = replayed.into_iter().chain([text("c")]).map(|event| filter.take_new(event));
            assert!(results.into_iter().any(|result| result == Err(ReplayDiverged)), "{place}");
        }
    }

    #[test]
    fn the_same_bytes_in_another_order_have_another_fingerprint() {
        let digests = [&["a", "b"][..], &["b", "a"], &["ab", ""], &["", "ab"]].map(|texts| received(texts).digest());
        for (index, digest) in digests.iter().enumerate() {
            assert!(digests[..index].iter().all(|other| other != digest && digest[0] != digest[1]));
        }
    }
}
