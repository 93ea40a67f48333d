//! What an event of a Messages stream holds, as far as it is used. What has an odd form beside the words is left out.

use serde::Deserialize;
use serde_json::Value;

use crate::event_fields::{EventFields, ReadFields, WrittenFields};
use crate::http::report_of;
use crate::lenient::{Object, value_says_anything};
use crate::text_piece::TextPiece;
use crate::token_count::TokenCount;
use crate::{Error, Report};
use antiphon_domain::InputUsage;
use antiphon_protocol::{InputTokensDetails, JsonObject, OutputTokensDetails, Usage};

/// One event of a stream.
pub(super) enum AnthropicEvent<'a> {
    /// A whole message.
    Message(WrittenFields<'a>),
    MessageStart(WrittenFields<'a>),
    BlockStart {
        index: BlockIndex,
        block: WrittenFields<'a>,
    },
    BlockDelta {
        index: BlockIndex,
        delta: BlockDelta,
    },
    BlockStop {
        index: BlockIndex,
    },
    MessageDelta(MessageChange),
    MessageStop,
    Error(Report),
    /// Any other event: the protocol reserves the right to add some.
    Other,
}

/// The number that the provider gave a block; none where that is no number.
pub(super) type BlockIndex = Option<u64>;

/// A piece of a block.
pub(super) enum BlockDelta {
    Text(TextPiece),
    Thinking(TextPiece),
    Signature(String),
    Arguments(TextPiece),
    Citation(JsonObject),
    Other,
}

/// What is said of a message as a whole.
pub(super) struct MessageChange {
    pub(super) stop_reason: Option<String>,
    /// None where it says nothing of them.
    pub(super) counts: Option<TokenCounts>,
}

/// The kinds of deltas, each with the field that holds its piece.
const DELTAS: [(&str, &str); 5] = [
    ("text_delta", "text"),
    ("thinking_delta", "thinking"),
    ("input_json_delta", "partial_json"),
    ("signature_delta", "signature"),
    ("citations_delta", "citation"),
];

/// The type of the event that holds a piece of a block.
const BLOCK_DELTA: &str = "content_block_delta";

/// A delta as the protocol writes it. Nearly all events are such ones.
#[derive(Deserialize)]
struct PlainEvent<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    index: u64,
    #[serde(borrow)]
    delta: Object<PlainDelta<'a>>,
}

#[derive(Deserialize)]
struct PlainDelta<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    text: Option<TextPiece>,
    thinking: Option<TextPiece>,
    partial_json: Option<TextPiece>,
}

/// The texts of a delta, where halves of characters are in it.
#[derive(Deserialize)]
struct DeltaPieces {
    delta: Pieces,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pieces {
    text: Option<TextPiece>,
    thinking: Option<TextPiece>,
    partial_json: Option<TextPiece>,
}

impl<'a> AnthropicEvent<'a> {
    /// Reads a delta that is as the protocol writes it, without what is beside its words; none for all else.
    pub(super) fn plain_delta(data: &str) -> Option<Self> {
        let Object(PlainEvent { kind, index, delta: Object(delta) }) = serde_json::from_str(data).ok()?;
        let delta = match (kind, delta.kind) {
            (BLOCK_DELTA, "text_delta") => BlockDelta::Text(delta.text?),
            (BLOCK_DELTA, "thinking_delta") => BlockDelta::Thinking(delta.thinking?),
            (BLOCK_DELTA, "input_json_delta") => BlockDelta::Arguments(delta.partial_json?),
            _ => return None,
        };
        Some(Self::BlockDelta { index: Some(index), delta })
    }

    /// Reads an event. Its type is in the data, or in the `event:` line where the data has none.
    ///
    /// # Errors
    /// If it has no type, or a delta has no text.
    pub(super) fn of(line: Option<&str>, mut event: EventFields<'a>) -> Result<Self, Error> {
        let index = event.fields.get("index").and_then(Value::as_u64);
        Ok(match event.kind(line) {
            "message" if event.fields.contains_key("content") => Self::Message(event.fields),
            "message" => Self::Message(match event.fields.take_object("message") {
                Some(inner) if !inner.is_empty() => inner,
                Some(_) | None => event.fields,
            }),
            "message_start" => match event.fields.take_object("message").unwrap_or_default() {
                message if is_whole(&message) => Self::Message(message),
                message => Self::MessageStart(message),
            },
            "content_block_start" => {
                Self::BlockStart { index, block: event.fields.take_object("content_block").unwrap_or_default() }
            }
            BLOCK_DELTA => Self::BlockDelta { index, delta: BlockDelta::of(event)? },
            "content_block_stop" => Self::BlockStop { index },
            "message_delta" => {
                let mut delta = event.fields.take_object("delta").unwrap_or_default();
                Self::MessageDelta(MessageChange::of(&mut delta, event.fields.get("usage")))
            }
            "message_stop" => Self::MessageStop,
            "error" => Self::Error(report(&event.fields)),
            "" if event.fields.get("error").is_some_and(value_says_anything) => Self::Error(report(&event.fields)),
            "" => return Err(Error::Protocol { what: "an event without a type" }),
            _ => Self::Other,
        })
    }
}

impl MessageChange {
    pub(super) fn of(fields: &mut ReadFields, usage: Option<&Value>) -> Self {
        let stop_reason = Some(take_text(fields, "stop_reason")).filter(|reason| !reason.is_empty());
        Self { stop_reason, counts: usage.filter(|usage| !usage.is_null()).map(TokenCounts::of) }
    }
}

impl BlockDelta {
    /// Whether it is words.
    pub(super) const fn is_spoken(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Thinking(_))
    }

    fn of(mut event: EventFields<'_>) -> Result<Self, Error> {
        let halves = event.pieces().map(|DeltaPieces { delta }| delta).unwrap_or_default();
        let mut delta = event.fields.take_object("delta").unwrap_or_default();
        let kind = delta.get("type").and_then(Value::as_str);
        // A delta whose type is missing or not known is what its fields say.
        let holds = |key: &str| delta.get(key).is_some_and(|value| value.is_string() || value.is_object());
        let by_type = DELTAS.iter().find(|(known, _)| kind == Some(known));
        let Some((_, key)) = by_type.or_else(|| DELTAS.iter().find(|(_, key)| holds(key))) else {
            return Ok(Self::Other);
        };
        Ok(match *key {
            "text" => Self::Text(piece(halves.text, delta.shift_remove(*key))?),
            "thinking" => Self::Thinking(piece(halves.thinking, delta.shift_remove(*key))?),
            "partial_json" => Self::Arguments(piece(halves.partial_json, delta.shift_remove(*key))?),
            "signature" => Self::Signature(take_text(&mut delta, key)),
            _ => match delta.take_object(key).map(|citation| citation.written_without(&[])) {
                Some(citation) if !citation.is_empty() => Self::Citation(citation),
                Some(_) | None => Self::Other,
            },
        })
    }
}

/// Whether a message that begins is the whole answer: it has output, and says why it ended.
fn is_whole(message: &ReadFields) -> bool {
    let is_something = |value: &Value| match value {
        Value::Array(blocks) => !blocks.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    ["content", "stop_reason"].iter().all(|key| message.get(*key).is_some_and(is_something))
}

/// The blocks of a message that are told at once; none where its content has not the form of one.
pub(super) fn take_blocks<'a>(message: &mut WrittenFields<'a>) -> Option<Vec<WrittenFields<'a>>> {
    // Not even a block: it is one of which nothing is known, unless it is a text.
    let plain =
        |value: Value| if value.is_string() { WrittenFields::made("text", value) } else { WrittenFields::default() };
    if let Some(blocks) = message.take_entries("content", |other| Some(plain(other))) {
        return Some(blocks.into_iter().flatten().collect());
    }
    let whole = message.take_object("content");
    let text = || message.get("content").filter(|content| content.is_string()).cloned().map(plain);
    whole.or_else(text).map(|whole| vec![whole])
}

fn piece(with_halves: Option<TextPiece>, field: Option<Value>) -> Result<TextPiece, Error> {
    match field {
        Some(Value::String(text)) => Ok(with_halves.unwrap_or(TextPiece::Whole(text))),
        None | Some(Value::Null) => Ok(TextPiece::Whole(String::new())),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(Error::Protocol { what: "a delta that is no text" })
        }
    }
}

/// The kind of an error, which is in an object of its own or in the event itself.
fn report(fields: &ReadFields) -> Report {
    match fields.get("error") {
        Some(error) => report_of(error),
        None => report_of(&Value::Object(fields.clone())),
    }
}

/// The text of a field; empty where there is none.
pub(super) fn take_text(fields: &mut ReadFields, key: &str) -> String {
    match fields.shift_remove(key) {
        Some(Value::String(text)) => text,
        Some(_) | None => String::new(),
    }
}

/// Counts of tokens. Each is cumulative; one that is missing or zero has not changed.
#[derive(Clone, Copy, Default)]
pub(super) struct TokenCounts {
    input: TokenCount,
    cache_write: TokenCount,
    cache_read: TokenCount,
    output: TokenCount,
    thinking: TokenCount,
}

impl TokenCounts {
    pub(super) fn of(report: &Value) -> Self {
        let count = |key: &str| TokenCount::at(report, key);
        let details = report.get("output_tokens_details");
        Self {
            input: count("input_tokens"),
            cache_write: count("cache_creation_input_tokens"),
            cache_read: count("cache_read_input_tokens"),
            output: count("output_tokens"),
            thinking: details.map(|details| TokenCount::at(details, "thinking_tokens")).unwrap_or_default(),
        }
    }

    /// Returns these counts, with the earlier ones where one is missing or zero.
    pub(super) fn after(self, earlier: Self) -> Self {
        Self {
            input: self.input.after(earlier.input),
            cache_write: self.cache_write.after(earlier.cache_write),
            cache_read: self.cache_read.after(earlier.cache_read),
            output: self.output.after(earlier.output),
            thinking: self.thinking.after(earlier.thinking),
        }
    }

    /// None if the input was not counted.
    pub(super) fn input_usage(self) -> Option<InputUsage> {
        self.input.known()?;
        let Usage { input_tokens, input_tokens_details, .. } = self.prompt();
        InputUsage { input_tokens, input_tokens_details }.reconciled()
    }

    /// None if the output was not counted, or if a count can't be true.
    pub(super) fn usage(self) -> Option<Usage> {
        let output_tokens = self.output.known()?;
        let reasoning_tokens = self.thinking.as_part();
        let output_tokens_details = OutputTokensDetails { reasoning_tokens };
        Usage { output_tokens, output_tokens_details, ..self.prompt() }.reconciled()
    }

    /// The protocol's own count of the input does not include what was read from the cache or written to it.
    fn prompt(self) -> Usage {
        let (cached_tokens, cache_write_tokens) = (self.cache_read.or_zero(), self.cache_write.or_zero());
        Usage {
            input_tokens: self.input.or_zero().saturating_add(cached_tokens).saturating_add(cache_write_tokens),
            input_tokens_details: InputTokensDetails { cached_tokens, cache_write_tokens },
            ..Usage::default()
        }
    }
}
