//! One content block of an answer, from its start to its stop.

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::{BlockDelta, take_text};
use super::thoughts::{SignedThought, ThoughtSealer};
use crate::event_fields::WrittenFields;
use crate::lenient::says_anything;
use crate::limits::{ARGUMENTS_TOO_LONG, NAME_TOO_LONG, TOO_MANY_CALLS};
use crate::made_call_ids::MadeCallIds;
use crate::raw_json::as_written;
use crate::text_piece::{TextJoiner, TextPiece};
use crate::{Error, ProviderEvent, UpstreamLimits};
use antiphon_domain::CallIndex;
use antiphon_protocol::{Json, JsonObject};

/// The longest name of a kind of block, in bytes.
const LONGEST_KIND: usize = 128;

/// Fields of a call that other events hold.
const OF_CALLS: [&str; 4] = ["type", "id", "name", "input"];

/// The prefix of the kinds of blocks that this server does not know.
const SLUG: &str = "anthropic:";

/// A block that was started.
pub(super) enum OpenBlock {
    Text(OpenText),
    Thinking {
        text: OpenText,
        thought: SignedThought,
    },
    RedactedThinking {
        said: bool,
    },
    Call(OpenCall),
    Other {
        item: CallIndex,
        fields: JsonObject,
        input: BlockInput,
    },
    /// A block that is not known to be anything. Its pieces say what it is.
    Nothing,
}

/// A text that is being written.
#[derive(Default)]
pub(super) struct OpenText {
    said: bool,
    joiner: TextJoiner,
}

/// A call that is being written.
pub(super) struct OpenCall {
    call: CallIndex,
    arguments: BlockInput,
    joiner: TextJoiner,
    /// The arguments that came with the start; they count where no others follow.
    given: Option<String>,
    /// What its model needs back with it.
    extra: JsonObject,
}

/// The input of a call or of an item of an unknown kind, in so many bytes at most.
pub(super) struct BlockInput {
    text: String,
    most: usize,
}

/// What the start of a block needs to know of the blocks before it.
pub(super) struct BlocksBefore<'a> {
    /// The number that the next call gets.
    pub(super) calls: CallIndex,
    /// The number that the next item of an unknown kind gets.
    pub(super) others: CallIndex,
    /// The ids of calls that have none.
    pub(super) ids: &'a MadeCallIds,
    /// What seals thoughts.
    pub(super) thoughts: &'a ThoughtSealer,
    pub(super) limits: UpstreamLimits,
}

/// What is known of a call whose block was stopped.
pub(super) enum StoppedBlock {
    /// No call, or one that is settled: complete and reported so, or broken.
    Settled,
    /// A call without arguments. The next event shows whether it was cut before them.
    WithoutArguments(CallIndex, JsonObject),
}

impl OpenBlock {
    /// Reads the start of a block.
    pub(super) fn start(
        mut fields: WrittenFields<'_>,
        before: &BlocksBefore<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<Self, Error> {
        let mut block = match kind_of(&fields) {
            "text" => Self::Text(OpenText::default()),
            "thinking" => {
                let thought = SignedThought::new(before.thoughts, take_text(&mut fields, "signature"));
                Self::Thinking { text: OpenText::default(), thought }
            }
            "redacted_thinking" => {
                let sealed = before.thoughts.redacted(take_text(&mut fields, "data"));
                let said = sealed.is_some();
                events.extend(sealed);
                Self::RedactedThinking { said }
            }
            "tool_use" => return OpenCall::start(fields, before, events).map(Self::Call),
            "" => Self::Nothing,
            kind => {
                let named = [("type".to_owned(), Json::from(format!("{SLUG}{kind}").as_str()))];
                let rest = fields.written_without(&["type"]);
                let (item, fields) = (before.others, named.into_iter().chain(rest.iter()).collect::<JsonObject>());
                events.push(ProviderEvent::OtherItemStarted { item, fields: fields.clone() });
                return Ok(Self::Other { item, fields, input: BlockInput::new(before.limits) });
            }
        };
        let first = |text| TextPiece::Whole(text);
        match &block {
            Self::Text(_) => block.delta(BlockDelta::Text(first(take_text(&mut fields, "text"))), events)?,
            Self::Thinking { .. } => {
                block.delta(BlockDelta::Thinking(first(take_text(&mut fields, "thinking"))), events)?;
            }
            Self::RedactedThinking { .. } | Self::Call(_) | Self::Other { .. } | Self::Nothing => {}
        }
        Ok(block)
    }

    /// Whether it is a part of the message or reasoning item that is being written: there is one of these at a time.
    pub(super) const fn is_spoken(&self) -> bool {
        match self {
            Self::Text(_) | Self::Thinking { .. } | Self::RedactedThinking { .. } => true,
            Self::Call(_) | Self::Other { .. } | Self::Nothing => false,
        }
    }

    /// Whether its end tells something that did not come as a piece.
    pub(super) const fn has_unspoken(&self) -> bool {
        match self {
            Self::Text(open) => open.said,
            Self::Thinking { text: open, thought } => open.said || !thought.signature.is_empty(),
            Self::RedactedThinking { said } => *said,
            Self::Call(_) | Self::Other { .. } | Self::Nothing => false,
        }
    }

    /// Whether the block can hold that piece.
    pub(super) const fn takes(&self, delta: &BlockDelta) -> bool {
        matches!(
            (self, delta),
            (Self::Text(_), BlockDelta::Text(_) | BlockDelta::Citation(_))
                | (Self::Thinking { .. }, BlockDelta::Thinking(_) | BlockDelta::Signature(_))
                | (Self::Call(_), BlockDelta::Arguments(_))
                | (
                    Self::Other { .. },
                    BlockDelta::Arguments(_) | BlockDelta::Signature(_) | BlockDelta::Citation(_) | BlockDelta::Other
                )
        )
    }

    /// Takes a piece of the block. Pieces that it can't hold are ignored.
    pub(super) fn delta(&mut self, delta: BlockDelta, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        match (self, delta) {
            (Self::Text(open), BlockDelta::Text(piece)) => {
                if let Some(text) = open.join(piece) {
                    events.push(ProviderEvent::Text { text, logprobs: Vec::new() });
                }
            }
            (Self::Text(open), BlockDelta::Citation(annotation)) => {
                open.said = true;
                events.push(ProviderEvent::Annotation { annotation });
            }
            (Self::Thinking { text: open, thought }, BlockDelta::Thinking(piece)) => {
                let words = open.join(piece);
                thought.think(words.as_deref().unwrap_or_default());
                events.extend(words.map(|text| ProviderEvent::Reasoning { text }));
            }
            (Self::Thinking { thought, .. }, BlockDelta::Signature(whole)) => thought.signature = whole,
            (Self::Call(open), BlockDelta::Arguments(piece)) => open.append(piece, events)?,
            (Self::Other { input, .. }, BlockDelta::Arguments(piece)) => input.append(&piece.into_text())?,
            _ => {}
        }
        Ok(())
    }

    /// Ends what was spoken so far. What follows is another part, or another reasoning item. Text blocks are parts of one
    /// message; each thinking block is a reasoning item of its own, since it has its own signature.
    pub(super) fn pause(&mut self, events: &mut Vec<ProviderEvent>) {
        match self {
            Self::Text(open) => {
                events.extend(open.rest().map(|text| ProviderEvent::Text { text, logprobs: Vec::new() }));
                events.extend(std::mem::take(&mut open.said).then_some(ProviderEvent::ContentPartFinished));
            }
            Self::Thinking { text: open, thought } => {
                let rest = open.rest();
                thought.think(rest.as_deref().unwrap_or_default());
                events.extend(rest.map(|text| ProviderEvent::Reasoning { text }));
                let sealed = thought.end();
                let something = std::mem::take(&mut open.said) || sealed.is_some();
                events.extend(sealed);
                events.extend(something.then(|| ProviderEvent::ItemFinished { extra: JsonObject::new() }));
            }
            Self::RedactedThinking { said } => {
                events.extend(std::mem::take(said).then(|| ProviderEvent::ItemFinished { extra: JsonObject::new() }));
            }
            Self::Call(_) | Self::Other { .. } | Self::Nothing => {}
        }
    }

    /// Ends the block.
    pub(super) fn stop(mut self, events: &mut Vec<ProviderEvent>) -> StoppedBlock {
        self.pause(events);
        match self {
            Self::Call(open) => return open.stop(events),
            Self::Other { item, mut fields, input } => {
                if let Some(whole) = as_written(&input.text).filter(Json::is_object) {
                    fields.replace(JsonObject::from_iter([("input".to_owned(), whole)]));
                }
                events.push(ProviderEvent::OtherItemFinished { item, fields });
            }
            Self::Text(_) | Self::Thinking { .. } | Self::RedactedThinking { .. } | Self::Nothing => {}
        }
        StoppedBlock::Settled
    }
}

impl BlockInput {
    fn new(limits: UpstreamLimits) -> Self {
        Self { text: String::new(), most: limits.output_bytes }
    }

    fn append(&mut self, text: &str) -> Result<(), Error> {
        if text.len() > self.most.saturating_sub(self.text.len()) {
            return Err(ARGUMENTS_TOO_LONG);
        }
        self.text.push_str(text);
        Ok(())
    }
}

impl OpenText {
    fn join(&mut self, piece: TextPiece) -> Option<String> {
        let text = self.joiner.join(piece);
        self.said |= !text.is_empty();
        (!text.is_empty()).then_some(text)
    }

    fn rest(&mut self) -> Option<String> {
        let rest = self.joiner.end().map(String::from);
        self.said |= rest.is_some();
        rest
    }
}

impl OpenCall {
    fn start(
        mut fields: WrittenFields<'_>,
        before: &BlocksBefore<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<Self, Error> {
        let call = before.calls;
        if call >= before.limits.calls {
            return Err(TOO_MANY_CALLS);
        }
        let name = take_text(&mut fields, "name");
        if name.len() > before.limits.name_bytes {
            return Err(NAME_TOO_LONG);
        }
        let name = Some(name).filter(|name| is_word(name, before.limits.name_bytes));
        let name = name.ok_or(Error::Protocol { what: "a call without a proper name" })?;
        let call_id = match fields.shift_remove("id") {
            Some(Value::String(id)) if is_word(&id, before.limits.id_bytes) => id,
            Some(Value::Number(id)) => id.to_string(),
            Some(_) | None => before.ids.make(call),
        };
        events.push(ProviderEvent::FunctionCallStarted { call, call_id, name });
        let given = fields.written("input").and_then(arguments_of);
        if given.as_ref().is_some_and(|given| given.len() > before.limits.output_bytes) {
            return Err(ARGUMENTS_TOO_LONG);
        }
        let mut extra = fields.written_without(&OF_CALLS);
        extra.retain(|_, value| !value.is_null());
        let (arguments, extra) = (BlockInput::new(before.limits), before.thoughts.mark(extra));
        Ok(Self { call, arguments, joiner: TextJoiner::default(), given, extra })
    }

    fn append(&mut self, piece: TextPiece, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let (call, text) = (self.call, self.joiner.join(piece));
        self.arguments.append(&text)?;
        if !text.is_empty() {
            events.push(ProviderEvent::FunctionCallArguments { call, text });
        }
        Ok(())
    }

    /// The output limit can cut the model anywhere, and its block is stopped all the same: only arguments that are JSON
    /// are complete.
    fn stop(mut self, events: &mut Vec<ProviderEvent>) -> StoppedBlock {
        let call = self.call;
        if let Some(rest) = self.joiner.end() {
            self.arguments.text.push(rest);
            events.push(ProviderEvent::FunctionCallArguments { call, text: rest.into() });
        }
        let extra = self.extra;
        match (self.arguments.text.is_empty(), self.given) {
            (true, None) => return StoppedBlock::WithoutArguments(call, extra),
            (true, Some(text)) => {
                events.push(ProviderEvent::FunctionCallArguments { call, text });
                events.push(ProviderEvent::FunctionCallFinished { call, extra });
            }
            (false, _) if serde_json::from_str::<IgnoredAny>(&self.arguments.text).is_ok() => {
                events.push(ProviderEvent::FunctionCallFinished { call, extra });
            }
            (false, _) => {}
        }
        StoppedBlock::Settled
    }
}

/// The kind of a block; empty where that can't be told. A block without a proper type is what its fields say.
fn kind_of<'a>(fields: &'a WrittenFields<'_>) -> &'a str {
    match fields.get("type") {
        Some(Value::String(kind)) if is_word(kind, LONGEST_KIND) => kind,
        _ if fields.contains_key("name") => "tool_use",
        _ if fields.contains_key("thinking") => "thinking",
        _ if fields.contains_key("text") => "text",
        _ if fields.contains_key("data") => "redacted_thinking",
        _ => "",
    }
}

/// Whether the text is a name: not empty, not too long, nothing that no terminal shows.
pub(super) fn is_word(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !text.chars().any(char::is_control)
}

/// The arguments that an input stands for; none for an empty one, which is what calls begin with.
fn arguments_of(input: &RawValue) -> Option<String> {
    let input = Some(input).filter(|input| says_anything(input))?.get();
    match input.as_bytes().first() {
        Some(b'{') => Some(input.to_owned()),
        // Some servers write the text of the arguments.
        _ => TextPiece::parse(input).map(TextPiece::into_text),
    }
}
