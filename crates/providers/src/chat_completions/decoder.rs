//! From the chunks of an answer to the events of the port: pure, synchronous.

use serde_json::value::RawValue;

use super::calls::{CallPiece, StreamedCalls};
use super::chunk::{Chunk, ChunkChoice, ChunkDelta, logprobs_of_text};
use super::detail::ThoughtDetail;
use super::field_allowance::FieldAllowance;
use super::text::ChatText;
use super::thoughts::ChatThoughts;
use super::words::ChatWords;
use crate::answer_ending::AnswerEnding;
use crate::event_fields::EventFields;
use crate::http::{Decode, Flow, SseFrame, report_of, reported};
use crate::lenient::{self, Object};
use crate::limits::TOO_MANY_VALUES;
use crate::raw_json::has_more_values;
use crate::seal::{Origin, Protocol, ThoughtField};
use crate::text_piece::TextJoiner;
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};
use antiphon_domain::FinishReason;
use antiphon_protocol::{JsonObject, Usage};

/// The field of a message or call in which Google's models sign it.
pub(super) const EXTRA_CONTENT: &str = "extra_content";

/// Decodes one answer.
pub(crate) struct ChatDecoder {
    wanted: Wanted,
    origin: Origin,
    text: ChatText,
    /// Whether there was text or a refusal.
    has_text: bool,
    joiners: ChatJoiners,
    /// What the model needs back with its message.
    extra: JsonObject,
    allowance: FieldAllowance,
    thoughts: ChatThoughts,
    /// The most values of a chunk.
    most_values: usize,
    calls: StreamedCalls,
    usage: Option<Usage>,
    service_tier: Option<String>,
    ending: AnswerEnding,
}

/// What joins the halves of characters in the pieces of each text.
#[derive(Default)]
struct ChatJoiners {
    text: TextJoiner,
    thought: TextJoiner,
    refusal: TextJoiner,
}

/// The optional parts that the answer may have.
struct Wanted {
    calls: bool,
    logprobs: bool,
}

impl Decode for ChatDecoder {
    fn finished(&self) -> bool {
        self.ending.has_reason()
    }

    fn is_over(&self) -> bool {
        self.ending.is_over()
    }

    fn is_reason_last(&self) -> bool {
        self.ending.is_reason_last()
    }

    fn end(&mut self, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let reason = self.ending.reason(self.usage)?;
        self.end_texts(events);
        // What was cut is not continued by its model, so it needs nothing back.
        if !matches!(reason, FinishReason::Length | FinishReason::ContentFilter) {
            self.thoughts.end(events);
            self.end_message(events);
        }
        self.text.end();
        self.calls.finish(&reason, events)?;
        events.extend(self.service_tier.take().map(|tier| ProviderEvent::ServiceTier { tier }));
        events.push(ProviderEvent::Finished(reason));
        Ok(())
    }

    fn frame(&mut self, frame: SseFrame, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let data = frame.data.trim();
        if frame.event.as_deref() == Some("error") {
            return Err(Error::Reported(reported(data)));
        }
        match data {
            "" => Ok(Flow::Open),
            "[DONE]" if self.finished() => self.end(events).map(|()| Flow::Done),
            "[DONE]" => Err(Error::Protocol { what: "an end mark without a reason to finish" }),
            data => self.data(data, frame.whole, events).map(|()| Flow::Open),
        }
    }
}

impl ChatDecoder {
    /// Makes the decoder of the answer to that request.
    pub(crate) fn new(asked: &ProviderRequest, limits: UpstreamLimits) -> Self {
        let request = &asked.request;
        let origin = Origin::of(Protocol::ChatCompletions, &asked.target);
        Self {
            wanted: Wanted {
                calls: !request.callable_tools().is_empty(),
                logprobs: request.wanted_logprobs().is_some(),
            },
            text: ChatText::default(),
            has_text: false,
            joiners: ChatJoiners::default(),
            extra: JsonObject::new(),
            allowance: FieldAllowance::new(limits),
            thoughts: ChatThoughts::new(origin.clone(), asked, limits),
            most_values: limits.event_values,
            calls: StreamedCalls::new(origin.clone(), asked, limits),
            origin,
            usage: None,
            service_tier: None,
            ending: AnswerEnding::default(),
        }
    }

    /// Takes the data of an event that is no end mark.
    fn data(&mut self, data: &str, is_whole: bool, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let has_too_many = |data: &str| has_more_values(data, self.most_values);
        if has_too_many(data) {
            let known = Chunk::without_unknown_fields(data).filter(|known| !has_too_many(known));
            return match known {
                Some(known) => self.data(&known, is_whole, events),
                None if is_whole => Err(TOO_MANY_VALUES),
                None => Ok(()),
            };
        }
        let mended;
        let chunk = match Chunk::parse(data) {
            Some(chunk) => Some(chunk),
            None => {
                mended = Chunk::mended(data).unwrap_or_default();
                Chunk::parse(&mended)
            }
        };
        match chunk {
            Some(chunk) if chunk.is_error() => {
                self.report_usage(&chunk, events);
                Err(Error::Reported(reported(data)))
            }
            Some(chunk) => self.chunk(chunk, events),
            None if is_whole => Err(Error::Protocol { what: "a chunk has not the form of one" }),
            // The connection ended within it.
            None => Ok(()),
        }
    }

    fn chunk(&mut self, mut chunk: Chunk<'_>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        for Object(choice) in chunk.choices.iter_mut().flatten() {
            self.choice(choice, events)?;
        }
        self.report_usage(&chunk, events);
        if let Some(tier) = chunk.service_tier().filter(|tier| self.service_tier.as_deref() != Some(*tier)) {
            self.service_tier = Some(tier.to_owned());
        }
        Ok(())
    }

    /// Some servers report usage with every chunk; a repeated report is not passed on.
    fn report_usage(&mut self, chunk: &Chunk<'_>, events: &mut Vec<ProviderEvent>) {
        if let Some(usage) = chunk.usage().filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            events.push(ProviderEvent::Usage(usage));
        }
    }

    fn choice(&mut self, choice: &mut ChunkChoice<'_>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if choice.index.is_some_and(|index| index != 0) {
            return Err(Error::Protocol { what: "more than one choice" });
        }
        let (delta, message) = (choice.delta.take(), choice.message.take());
        if delta.is_some() || message.is_some() {
            self.ending.note_form();
        }
        // The probabilities are of one of them.
        let logprobs_of_message = choice.logprobs.filter(|_| delta.is_none());
        if let Some(delta) = delta {
            self.said(delta, choice.logprobs, events)?;
        }
        if let Some(message) = message.and_then(|message| self.unsaid(message)) {
            self.said(message, logprobs_of_message, events)?;
        }
        if let Some(error) = choice.error.filter(|error| lenient::says_anything(error)) {
            return Err(Error::Reported(lenient::value(error).as_ref().map(report_of).unwrap_or_default()));
        }
        if let Some(word) = choice.finish_reason.take() {
            self.ending.note_reason(&word.into_text());
        }
        Ok(())
    }

    /// What a whole message says that its pieces have not said: behind them, its calls if none of these came in pieces, and
    /// its content if no text did.
    fn unsaid<'a>(&self, message: ChunkDelta<'a>) -> Option<ChunkDelta<'a>> {
        if !self.ending.has_output() {
            return Some(message);
        }
        let ChunkDelta { content, refusal, tool_calls, function_call, .. } = message;
        let (content, refusal) = if self.has_text { (None, None) } else { (content, refusal) };
        let (tool_calls, function_call) =
            if self.calls.is_empty() { (tool_calls, function_call) } else { (None, None) };
        Some(ChunkDelta { content, refusal, tool_calls, function_call, ..ChunkDelta::default() })
    }

    fn said(
        &mut self,
        mut delta: ChunkDelta<'_>,
        logprobs: Option<&RawValue>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let pieces = pieces(&mut delta, &mut self.allowance)?;
        let details = self.details(&delta)?;
        let words = delta.take_words(&details);
        for detail in details {
            self.thoughts.detail(detail, &mut self.allowance)?;
        }
        let content = delta.extra_content.map(|content| (EXTRA_CONTENT.to_owned(), content));
        self.extra.replace(self.allowance.read_all(content.into_iter().collect())?);
        let (fields, pieces): (Vec<_>, Vec<_>) = pieces.into_iter().partition(CallPiece::has_only_fields);
        if !words.is_empty() || !pieces.is_empty() {
            self.ending.note_output();
        }
        // A response can't hold the probabilities of reasoning and calls.
        let is_scored = words.iter().any(|words| matches!(words, ChatWords::Text(_)));
        if self.wanted.logprobs && (is_scored || (words.is_empty() && pieces.is_empty())) {
            self.text.score(logprobs.map(logprobs_of_text).unwrap_or_default());
        }
        self.has_text |= words.iter().any(|words| matches!(words, ChatWords::Text(_) | ChatWords::Refusal(_)));
        for words in words {
            self.word(words, events);
        }
        for piece in pieces {
            if !self.wanted.calls {
                return Err(Error::Protocol { what: "a tool call that was not asked for" });
            }
            self.thoughts.end(events);
            self.end_message(events);
            self.text.end();
            self.calls.take(piece, events)?;
        }
        fields.into_iter().try_for_each(|piece| self.calls.take_fields(piece))
    }

    /// The entries of `reasoning_details`; none of what is no object.
    fn details(&mut self, delta: &ChunkDelta<'_>) -> Result<Vec<ThoughtDetail>, Error> {
        let Some(json) = delta.reasoning_details else { return Ok(Vec::new()) };
        self.allowance.check(json)?;
        let entries =
            lenient::entries(json).into_iter().filter_map(|entry| EventFields::parse(entry.get(), self.most_values));
        Ok(entries.map(|entry| self.thoughts.join(entry)).collect())
    }

    fn word(&mut self, words: ChatWords, events: &mut Vec<ProviderEvent>) {
        match words {
            ChatWords::Text(piece) => {
                let text = self.joiners.text.join(piece);
                self.say(text, events);
            }
            ChatWords::Thought(field, piece) => {
                let text = self.joiners.thought.join(piece);
                self.think(field, text, events);
            }
            ChatWords::Summary(part, text) => {
                self.calls.make_way(events);
                self.end_message(events);
                self.text.think();
                events.push(ProviderEvent::ReasoningSummary { part, text });
            }
            ChatWords::Refusal(piece) => {
                let text = self.joiners.refusal.join(piece);
                self.refuse(text, events);
            }
        }
    }

    fn say(&mut self, text: String, events: &mut Vec<ProviderEvent>) {
        if !text.is_empty() && self.text.is_visible(&text) {
            self.calls.make_way(events);
            self.thoughts.end(events);
        }
        self.text.push(text, events);
    }

    fn think(&mut self, field: Option<ThoughtField>, text: String, events: &mut Vec<ProviderEvent>) {
        if text.is_empty() {
            return;
        }
        self.calls.make_way(events);
        self.end_message(events);
        self.text.think();
        if let Some(field) = field {
            self.thoughts.think(field, &text);
        }
        events.push(ProviderEvent::Reasoning { text });
    }

    fn refuse(&mut self, text: String, events: &mut Vec<ProviderEvent>) {
        if text.is_empty() {
            return;
        }
        self.calls.make_way(events);
        self.thoughts.end(events);
        self.text.refuse();
        events.push(ProviderEvent::Refusal { text });
    }

    /// Adds what stands for the halves of characters whose other half never came.
    fn end_texts(&mut self, events: &mut Vec<ProviderEvent>) {
        self.thoughts.end_words(events);
        let ChatJoiners { text, thought, refusal } = &mut self.joiners;
        let [text, thought, refusal] = [text, thought, refusal].map(|joiner| joiner.end().map(String::from));
        thought.into_iter().for_each(|half| self.think(None, half, events));
        text.into_iter().for_each(|half| self.say(half, events));
        refusal.into_iter().for_each(|half| self.refuse(half, events));
    }

    /// Ends the open message, if its model needs anything back with it.
    fn end_message(&mut self, events: &mut Vec<ProviderEvent>) {
        if self.text.is_open() && !self.extra.is_empty() {
            let extra = self.origin.mark(std::mem::take(&mut self.extra));
            events.push(ProviderEvent::ItemFinished { extra });
        }
    }
}

/// The pieces of calls in a delta. Servers that write the only call in both forms write the same twice.
fn pieces(delta: &mut ChunkDelta<'_>, allowance: &mut FieldAllowance) -> Result<Vec<CallPiece>, Error> {
    let mut pieces = Vec::new();
    for call in delta.tool_calls.take().into_iter().flatten() {
        pieces.extend(CallPiece::of_call(call, allowance)?);
    }
    if let Some(function) = delta.function_call.take().filter(|_| pieces.is_empty()) {
        pieces.extend(CallPiece::of_only_function(function)?);
    }
    Ok(pieces)
}
