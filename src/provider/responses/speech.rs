//! Messages and thoughts. What is being written has the floor: the port knows one at a time.

use std::collections::BTreeMap;

use serde_json::Value;

use super::event::{Event, Voice, bounded, broken, logprobs, rest, text};
use super::output::{Body, Events, Item, Output};
use crate::protocol::{Extra, LogProb};
use crate::provider::{Error, ProviderEvent};

/// Fields of a message that are told in other ways, or are this server's to say.
const OF_MESSAGES: [&str; 5] = ["id", "type", "role", "status", "content"];

/// The same for thoughts.
const OF_THOUGHTS: [&str; 6] = ["id", "type", "status", "summary", "content", "encrypted_content"];

/// The message or thought that is being written, and its part.
#[derive(Clone, Copy)]
pub(super) struct Floor {
    item: usize,
    part: Option<PartKey>,
}

/// Summaries of a thought are counted apart from its content.
type PartKey = (bool, u32);

/// What came of a message or a thought.
pub(super) struct Speech {
    pub(super) is_thought: bool,
    parts: BTreeMap<PartKey, Part>,
}

#[derive(Default)]
struct Part {
    /// Whether anything of it came.
    spoken: bool,
    annotations: usize,
    done: bool,
}

/// What was said, and where.
struct Words {
    position: usize,
    voice: Voice,
    part: PartKey,
    text: String,
    logprobs: Vec<LogProb>,
}

impl Speech {
    pub(super) fn message() -> Self {
        Self { is_thought: false, parts: BTreeMap::new() }
    }

    pub(super) fn thought() -> Self {
        Self { is_thought: true, parts: BTreeMap::new() }
    }
}

impl Output {
    /// A piece.
    pub(super) fn delta(&mut self, voice: Voice, mut event: Event, events: &mut Events) -> Result<(), Error> {
        let (position, part) = self.part_of(voice, &event)?;
        let item = self.items.get(position).is_some_and(|item| item.done);
        if item {
            return Err(broken("an item goes on after its end"));
        }
        if self.part(position, part)?.done {
            return Err(broken("a part goes on after its end"));
        }
        let text = event.take_text("delta")?;
        let logprobs = logprobs(event.fields.get("logprobs"));
        self.say(Words { position, voice, part, text, logprobs }, events)
    }

    /// The whole of a part, which matters only where its pieces did not come.
    pub(super) fn whole(&mut self, voice: Voice, mut event: Event, events: &mut Events) -> Result<(), Error> {
        let (position, part) = self.part_of(voice, &event)?;
        let text = event.take_text(voice.key())?;
        let logprobs = logprobs(event.fields.get("logprobs"));
        self.say_unsaid(Words { position, voice, part, text, logprobs }, events)
    }

    /// A part of a message or of a thought's content ended.
    pub(super) fn part_done(&mut self, mut event: Event, events: &mut Events) -> Result<(), Error> {
        let fields = event.take_object("part").unwrap_or_default();
        let Some(voice) = voice_of(&fields) else { return Ok(()) };
        let (position, part) = self.part_of(voice, &event)?;
        self.finish_part((position, part), voice, &fields, events)
    }

    /// A summary ended.
    pub(super) fn summary_part_done(&mut self, mut event: Event, events: &mut Events) -> Result<(), Error> {
        let fields = event.take_object("part").unwrap_or_default();
        let (position, part) = self.part_of(Voice::Summary, &event)?;
        self.finish_part((position, part), Voice::Summary, &fields, events)
    }

    /// A note on the text.
    pub(super) fn annotation(&mut self, mut event: Event, events: &mut Events) -> Result<(), Error> {
        let (position, part) = self.part_of(Voice::Text, &event)?;
        let Some(annotation) = event.take_object("annotation") else { return Ok(()) };
        self.annotate((position, part), annotation, events)
    }

    pub(super) fn finish_message(&mut self, position: usize, fields: Extra, events: &mut Events) -> Result<(), Error> {
        for (part, fields) in parts(&fields, "content")? {
            if let Some(voice) = voice_of(fields).filter(|voice| !voice.is_thought()) {
                self.finish_part((position, (false, part)), voice, fields, events)?;
            }
        }
        self.finish_speech(position, rest_unless_cut(fields, &OF_MESSAGES), events);
        Ok(())
    }

    pub(super) fn finish_thought(
        &mut self,
        position: usize,
        mut fields: Extra,
        events: &mut Events,
    ) -> Result<(), Error> {
        for (key, voice) in [("summary", Voice::Summary), ("content", Voice::Thought)] {
            for (part, fields) in parts(&fields, key)? {
                self.finish_part((position, (voice == Voice::Summary, part)), voice, fields, events)?;
            }
        }
        if let Some(Value::String(encrypted_content)) = fields.remove("encrypted_content")
            && !encrypted_content.is_empty()
        {
            self.give_floor(position, None, events);
            events.push(ProviderEvent::EncryptedReasoning { encrypted_content });
        }
        self.finish_speech(position, rest_unless_cut(fields, &OF_THOUGHTS), events);
        Ok(())
    }

    /// Ends what has the floor, and nothing else: what was ended by something that came between is ended. A cut
    /// one stays open; the response's ending says what becomes of it.
    fn finish_speech(&mut self, position: usize, extra: Option<Extra>, events: &mut Events) {
        let has_floor = self.floor.is_some_and(|floor| floor.item == position);
        if let Some(extra) = extra.filter(|_| has_floor) {
            self.floor = None;
            events.push(ProviderEvent::ItemFinished { extra });
        }
    }

    /// A part ended; what of it did not come before comes now.
    fn finish_part(
        &mut self,
        (position, part): (usize, PartKey),
        voice: Voice,
        fields: &Extra,
        events: &mut Events,
    ) -> Result<(), Error> {
        if self.part(position, part)?.done {
            return Ok(());
        }
        let text = text(fields, voice.key()).unwrap_or_default().to_owned();
        let logprobs = logprobs(fields.get("logprobs"));
        self.say_unsaid(Words { position, voice, part, text, logprobs }, events)?;
        let known = self.part(position, part)?.annotations;
        if let Some(Value::Array(annotations)) = fields.get("annotations").filter(|_| voice == Voice::Text) {
            for annotation in annotations.iter().skip(known).filter_map(Value::as_object) {
                self.annotate((position, part), annotation.clone(), events)?;
            }
        }
        self.part(position, part)?.done = true;
        if let Some(floor) = self.floor.as_mut().filter(|floor| floor.item == position && floor.part == Some(part)) {
            floor.part = None;
            events.push(ProviderEvent::ContentPartFinished);
        }
        Ok(())
    }

    fn say_unsaid(&mut self, words: Words, events: &mut Events) -> Result<(), Error> {
        let part = self.part(words.position, words.part)?;
        if part.spoken || part.done { Ok(()) } else { self.say(words, events) }
    }

    fn say(&mut self, words: Words, events: &mut Events) -> Result<(), Error> {
        let Words { position, voice, part, text, logprobs } = words;
        if text.is_empty() && logprobs.is_empty() {
            return Ok(());
        }
        self.part(position, part)?.spoken = true;
        self.give_floor(position, Some(part), events);
        events.push(match voice {
            Voice::Text => ProviderEvent::Text { text, logprobs },
            Voice::Refusal => ProviderEvent::Refusal { text },
            Voice::Thought => ProviderEvent::Reasoning { text },
            Voice::Summary => ProviderEvent::ReasoningSummary { part: part.1, text },
        });
        Ok(())
    }

    fn annotate(
        &mut self,
        (position, part): (usize, PartKey),
        annotation: Extra,
        events: &mut Events,
    ) -> Result<(), Error> {
        self.part(position, part)?.annotations += 1;
        self.give_floor(position, Some(part), events);
        events.push(ProviderEvent::Annotation { annotation });
        Ok(())
    }

    /// Items may take turns, by the protocol; to the port, the second turn of one is another item.
    fn give_floor(&mut self, item: usize, part: Option<PartKey>, events: &mut Events) {
        let open = match self.floor {
            Some(floor) if floor.item == item => floor.part,
            Some(_) => {
                events.push(ProviderEvent::ItemFinished { extra: Extra::new() });
                None
            }
            None => None,
        };
        if part.is_some() && open.is_some() && open != part {
            events.push(ProviderEvent::ContentPartFinished);
        }
        self.floor = Some(Floor { item, part: part.or(open) });
    }

    /// The item and the part that an event is about; an item that nobody spoke of begins with it.
    fn part_of(&mut self, voice: Voice, event: &Event) -> Result<(usize, PartKey), Error> {
        let place = event.place("output_index")?;
        let part = event.place(voice.counter())?;
        let position = match self.at(place) {
            Some(position) => position,
            None => self.begin_speech(place, voice)?,
        };
        match self.items.get(position).map(|item| &item.body) {
            Some(Body::Speech(speech)) if speech.is_thought == voice.is_thought() => {
                Ok((position, (voice == Voice::Summary, part)))
            }
            Some(Body::Speech(_) | Body::Call(_) | Body::Other(_)) | None => {
                Err(broken("an event that does not fit its item"))
            }
        }
    }

    fn part(&mut self, position: usize, part: PartKey) -> Result<&mut Part, Error> {
        match self.items.get_mut(position) {
            Some(Item { body: Body::Speech(speech), .. }) => Ok(speech.parts.entry(part).or_default()),
            Some(_) | None => Err(broken("an event that does not fit its item")),
        }
    }
}

/// The parts of a whole item, with their places.
fn parts<'a>(fields: &'a Extra, key: &str) -> Result<Vec<(u32, &'a Extra)>, Error> {
    let parts = fields.get(key).and_then(Value::as_array).into_iter().flatten();
    let placed = (0..).zip(parts).filter_map(|(place, part)| Some((place, part.as_object()?)));
    placed.map(|(place, part)| Ok((bounded(place)?, part))).collect()
}

/// None for a part of a kind that nobody here knows.
fn voice_of(part: &Extra) -> Option<Voice> {
    match text(part, "type")? {
        "output_text" => Some(Voice::Text),
        "refusal" => Some(Voice::Refusal),
        "reasoning_text" => Some(Voice::Thought),
        _ => None,
    }
}

/// What else is said of an item; none if it was cut.
pub(super) fn rest_unless_cut(fields: Extra, known: &[&str]) -> Option<Extra> {
    (text(&fields, "status") != Some("incomplete")).then(|| rest(fields, known))
}
