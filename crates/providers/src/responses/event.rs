//! One event of a stream, and the parts of it that are understood.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event_fields::{EventFields, ReadFields, WrittenFields};
use crate::http::report_of;
use crate::lenient::value_says_anything;
use crate::raw_json::{raw_fields, select};
use crate::text_piece::TextPiece;
use crate::{Error, Report};
use antiphon_protocol::{JsonObject, LogProb, TopLogProb};

/// The longest type of an event or item, in bytes.
const LONGEST_TYPE: usize = 128;

/// How many bytes an event may have of which all is read.
const LONG: usize = 64 << 10;

/// The fields of a response that are read; the others echo the request.
const OF_RESPONSES: [&str; 12] = [
    "type",
    "object",
    "id",
    "status",
    "output",
    "usage",
    "service_tier",
    "error",
    "incomplete_details",
    "code",
    "message",
    "param",
];

/// An event of a stream.
pub(super) struct ResponsesEvent<'a> {
    /// Its type.
    pub(super) name: String,
    /// All its fields.
    pub(super) fields: WrittenFields<'a>,
    /// Its `delta`, if half a character is in it.
    with_halves: Option<TextPiece>,
}

/// The text of a delta.
#[derive(Deserialize)]
struct DeltaText {
    delta: TextPiece,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind {
    /// The response's progress.
    Lifecycle,
    /// The response ended.
    Ended,
    /// An item.
    Item(ItemEventKind),
    Unknown,
}

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemEventKind {
    Added,
    Done,
    PartAdded,
    PartDone,
    SummaryPartDone,
    /// A piece of a part.
    Delta(ResponsesPartKind),
    /// The whole of a part.
    Whole(ResponsesPartKind),
    Annotation,
    /// A piece of a call's arguments.
    Arguments,
    WholeArguments,
}

/// The kind of a part of a message or reasoning item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponsesPartKind {
    Text,
    Refusal,
    Reasoning,
    Summary,
}

impl EventKind {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "response.created" | "response.queued" | "response.in_progress" => Self::Lifecycle,
            "response.completed" | "response.incomplete" | "response.failed" => Self::Ended,
            _ => ItemEventKind::of(name).map_or(Self::Unknown, Self::Item),
        }
    }
}

impl ItemEventKind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "response.output_item.added" => Self::Added,
            "response.output_item.done" => Self::Done,
            "response.content_part.added" | "response.reasoning_summary_part.added" => Self::PartAdded,
            "response.content_part.done" => Self::PartDone,
            "response.reasoning_summary_part.done" => Self::SummaryPartDone,
            "response.output_text.delta" => Self::Delta(ResponsesPartKind::Text),
            "response.output_text.done" => Self::Whole(ResponsesPartKind::Text),
            "response.refusal.delta" => Self::Delta(ResponsesPartKind::Refusal),
            "response.refusal.done" => Self::Whole(ResponsesPartKind::Refusal),
            // The second name is that of Open Responses.
            "response.reasoning_text.delta" | "response.reasoning.delta" => Self::Delta(ResponsesPartKind::Reasoning),
            "response.reasoning_text.done" | "response.reasoning.done" => Self::Whole(ResponsesPartKind::Reasoning),
            "response.reasoning_summary_text.delta" => Self::Delta(ResponsesPartKind::Summary),
            "response.reasoning_summary_text.done" => Self::Whole(ResponsesPartKind::Summary),
            "response.output_text.annotation.added" => Self::Annotation,
            "response.function_call_arguments.delta" => Self::Arguments,
            "response.function_call_arguments.done" => Self::WholeArguments,
            _ => return None,
        })
    }
}

impl ResponsesPartKind {
    pub(super) fn is_reasoning(self) -> bool {
        match self {
            Self::Text | Self::Refusal => false,
            Self::Reasoning | Self::Summary => true,
        }
    }

    /// The field that counts the parts of that kind.
    pub(super) fn counter(self) -> &'static str {
        match self {
            Self::Text | Self::Refusal | Self::Reasoning => "content_index",
            Self::Summary => "summary_index",
        }
    }

    /// The field that holds the whole of the part.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Text | Self::Reasoning | Self::Summary => "text",
            Self::Refusal => "refusal",
        }
    }
}

impl<'a> ResponsesEvent<'a> {
    /// The event that the data holds; its type is in the data, or in the `event:` line of servers that write it
    /// there alone. None where the data is no object, and for more
    /// values than that.
    pub(super) fn parse(line: Option<&str>, data: &'a str, most_values: usize) -> Option<Self> {
        let event = EventFields::parse(data, most_values)?;
        let with_halves = event.pieces().map(|DeltaText { delta }| delta);
        let name = event.kind(line).to_owned();
        Some(Self { name, fields: event.fields, with_halves })
    }

    /// Whether it is a whole response, of a server that does not stream.
    pub(super) fn is_response(&self) -> bool {
        text(&self.fields, "object") == Some("response") && EventKind::of(&self.name) == EventKind::Unknown
    }

    /// Whether the provider reports an error: by the type, or by what SDKs take for one.
    pub(super) fn is_error(&self) -> bool {
        match self.name.as_str() {
            "error" | "response.error" => true,
            "" => self.fields.get("error").is_some_and(value_says_anything),
            _ => false,
        }
    }

    /// The kind of the error, which is in an object of its own, in the event itself, or in both.
    pub(super) fn report(self) -> Report {
        match self.fields.get("error").map(report_of) {
            None | Some(Report::Other) => report_of(&Value::Object(self.fields.into_read())),
            Some(report) => report,
        }
    }

    /// A position among items or parts; none if it is missing, no number, or too large to be one.
    pub(super) fn place(&self, key: &str) -> Option<u32> {
        self.fields.get(key)?.as_u64().and_then(|place| u32::try_from(place).ok())
    }

    /// The text of a delta; empty if it is missing.
    ///
    /// # Errors
    /// If it is not a text.
    pub(super) fn take_delta(&mut self) -> Result<TextPiece, Error> {
        match self.fields.shift_remove("delta") {
            Some(Value::String(text)) => Ok(self.with_halves.take().unwrap_or(TextPiece::Whole(text))),
            None | Some(Value::Null) => Ok(TextPiece::Whole(String::new())),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(broken("a delta that is no text"))
            }
        }
    }

    /// The text of a field; none if it has none.
    pub(super) fn take_text(&mut self, key: &str) -> Option<String> {
        match self.fields.shift_remove(key) {
            Some(Value::String(text)) => Some(text),
            Some(_) | None => None,
        }
    }
}

/// A long event without what its response echoes of the request; none if it is short, or about no response.
pub(super) fn without_echoes(line: Option<&str>, data: &str) -> Option<String> {
    if data.len() <= LONG {
        return None;
    }
    let read = |value: &RawValue| serde_json::from_str::<String>(value.get()).ok();
    let fields = raw_fields(data, &["type", "object", "response"])?;
    let find = |key: &str| fields.iter().find(|(known, _)| known == key).map(|(_, value)| *value);
    let name = find("type").and_then(read).filter(|name| !name.is_empty());
    match EventKind::of(name.as_deref().or(line).unwrap_or_default()) {
        EventKind::Item(_) => None,
        EventKind::Unknown if find("object").and_then(read).as_deref() != Some("response") => None,
        EventKind::Unknown => select(data, &OF_RESPONSES),
        EventKind::Lifecycle | EventKind::Ended => {
            let Some(response) = find("response").and_then(|response| select(response.get(), &OF_RESPONSES)) else {
                return select(data, &OF_RESPONSES);
            };
            Some(format!("{{\"type\":{},\"response\":{response}}}", Value::from(name)))
        }
    }
}

pub(super) fn broken(what: &'static str) -> Error {
    Error::Protocol { what }
}

pub(super) fn text<'a>(fields: &'a ReadFields, key: &str) -> Option<&'a str> {
    fields.get(key).and_then(Value::as_str)
}

/// The kind of an item; none where it can't be told. An item without a proper type is what its fields say.
pub(super) fn kind_of(item: &ReadFields) -> Option<&str> {
    let has = |key: &str| item.contains_key(key);
    match text(item, "type") {
        Some(kind) if (1..=LONGEST_TYPE).contains(&kind.len()) => Some(kind),
        _ if has("arguments") && has("name") => Some("function_call"),
        _ if has("summary") => Some("reasoning"),
        _ if has("content") => Some("message"),
        _ => None,
    }
}

/// An id or name; none where it is missing, empty, too long, or not a word.
pub(super) fn word(fields: &ReadFields, key: &str, most: usize) -> Option<String> {
    let is_word = |word: &&str| (1..=most).contains(&word.len()) && !word.chars().any(char::is_control);
    text(fields, key).filter(is_word).map(str::to_owned)
}

/// The other fields of an item; none if it was cut.
pub(super) fn rest_unless_cut(fields: &WrittenFields<'_>, known: &[&str]) -> Option<JsonObject> {
    let is_cut = text(fields, "status").is_some_and(|status| status.eq_ignore_ascii_case("incomplete"));
    (!is_cut).then(|| fields.written_without(known))
}

/// Probabilities of tokens. An entry of another form is left out: the text is complete without it.
pub(super) fn logprobs(value: Option<&Value>) -> Vec<LogProb> {
    let scored = |entry: &Value| {
        let (token, logprob) = score(entry)?;
        let others = entry.get("top_logprobs").and_then(Value::as_array).into_iter().flatten();
        let top_logprobs = others
            .filter_map(|other| {
                let (token, logprob) = score(other)?;
                Some(TopLogProb { token, logprob, bytes: bytes(other) })
            })
            .collect();
        Some(LogProb { token, logprob, bytes: bytes(entry), top_logprobs })
    };
    value.and_then(Value::as_array).into_iter().flatten().filter_map(scored).collect()
}

fn score(entry: &Value) -> Option<(String, f64)> {
    Some((entry.get("token")?.as_str()?.to_owned(), entry.get("logprob")?.as_f64()?))
}

fn bytes(entry: &Value) -> Vec<u8> {
    let bytes = entry.get("bytes").and_then(Value::as_array).into_iter().flatten();
    bytes.filter_map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect()
}
