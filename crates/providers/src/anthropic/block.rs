//! One content block of an answer, from its start to its stop.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::event::BlockDelta;
use crate::seal::{Origin, Protocol, Sealed};
use crate::{Error, ProviderEvent, ProviderRequest};
use antiphon_domain::CallIndex;
use antiphon_protocol::Extra;

/// The most bytes of the arguments of one call.
const MOST_ARGUMENTS: usize = 256 << 10;

/// The longest name of a function, or of a kind of block, in bytes.
const LONGEST_NAME: usize = 128;

/// The longest id that is taken, in bytes.
pub(super) const LONGEST_ID: usize = 256;

/// The prefix of the kinds of blocks that this server does not know.
const SLUG: &str = "anthropic:";

/// A block that was started.
pub(super) enum OpenBlock {
    Text {
        said: bool,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    RedactedThinking {
        said: bool,
    },
    Call {
        call: CallIndex,
        arguments: String,
        /// The arguments that came with the start; they count where no others follow.
        given: Option<String>,
    },
    Other {
        item: CallIndex,
        fields: Extra,
        input: String,
    },
}

/// The numbers that the next call and the next item of an unknown kind get.
#[derive(Clone, Copy)]
pub(super) struct NextIndices {
    pub(super) call: CallIndex,
    pub(super) item: CallIndex,
}

/// Seals the thoughts of an answer.
pub(super) struct ThoughtSealer {
    origin: Origin,
    /// Whether their words are sealed too: the client asked for it, and may keep nothing else.
    with_words: bool,
}

impl ThoughtSealer {
    pub(super) fn new(asked: &ProviderRequest) -> Self {
        let origin = Origin::of(Protocol::Anthropic, &asked.target);
        Self { origin, with_words: asked.request.wants_encrypted_reasoning() }
    }

    fn signed(&self, thinking: String, signature: String) -> Option<ProviderEvent> {
        let thinking = Some(thinking).filter(|_| self.with_words);
        if signature.is_empty() { None } else { self.seal(&Sealed::Signature { signature, thinking }) }
    }

    fn redacted(&self, data: String) -> Option<ProviderEvent> {
        if data.is_empty() { None } else { self.seal(&Sealed::Redacted { data }) }
    }

    fn seal(&self, what: &Sealed) -> Option<ProviderEvent> {
        self.origin.seal(what).map(|encrypted_content| ProviderEvent::EncryptedReasoning { encrypted_content })
    }
}

/// What is known of a call whose block was stopped.
pub(super) enum StoppedBlock {
    /// No call, or one that is settled: complete and reported so, or broken.
    Settled,
    /// A call without arguments. The next event shows whether it was cut before them.
    WithoutArguments(CallIndex),
}

impl OpenBlock {
    /// Reads the start of a block.
    pub(super) fn start(
        mut fields: Extra,
        NextIndices { call, item }: NextIndices,
        thoughts: &ThoughtSealer,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<Self, Error> {
        let kind = take_text(&mut fields, "type");
        match kind.as_str() {
            "text" => {
                let mut block = Self::Text { said: false };
                block.delta(BlockDelta::TextDelta { text: take_text(&mut fields, "text") }, events).map(|()| block)
            }
            "thinking" => {
                let mut block =
                    Self::Thinking { thinking: String::new(), signature: take_text(&mut fields, "signature") };
                let thinking = take_text(&mut fields, "thinking");
                block.delta(BlockDelta::ThinkingDelta { thinking }, events).map(|()| block)
            }
            "redacted_thinking" => {
                let sealed = thoughts.redacted(take_text(&mut fields, "data"));
                let said = sealed.is_some();
                events.extend(sealed);
                Ok(Self::RedactedThinking { said })
            }
            "tool_use" => {
                let call_id = word(take_text(&mut fields, "id"), LONGEST_ID, "a call without a proper id")?;
                let name = word(take_text(&mut fields, "name"), LONGEST_NAME, "a call without a proper name")?;
                events.push(ProviderEvent::FunctionCallStarted { call, call_id, name });
                let given = fields.shift_remove("input").filter(has_content).map(|input| input.to_string());
                if given.as_ref().is_some_and(|given| given.len() > MOST_ARGUMENTS) {
                    return Err(Error::Protocol { what: "the arguments of a call are too long" });
                }
                Ok(Self::Call { call, arguments: String::new(), given })
            }
            _ => {
                let kind = word(kind, LONGEST_NAME, "a block without a proper type")?;
                fields.insert("type".to_owned(), Value::String(format!("{SLUG}{kind}")));
                events.push(ProviderEvent::OtherItemStarted { item, fields: fields.clone() });
                Ok(Self::Other { item, fields, input: String::new() })
            }
        }
    }

    /// Takes a piece of the block. Pieces of unknown kinds are ignored.
    pub(super) fn delta(&mut self, delta: BlockDelta, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        match (self, delta) {
            (Self::Text { said }, BlockDelta::TextDelta { text }) => {
                if !text.is_empty() {
                    *said = true;
                    events.push(ProviderEvent::Text { text, logprobs: Vec::new() });
                }
            }
            (Self::Text { said }, BlockDelta::CitationsDelta { citation }) => {
                *said = true;
                events.push(ProviderEvent::Annotation { annotation: citation });
            }
            (Self::Thinking { thinking: so_far, .. }, BlockDelta::ThinkingDelta { thinking }) => {
                if !thinking.is_empty() {
                    so_far.push_str(&thinking);
                    events.push(ProviderEvent::Reasoning { text: thinking });
                }
            }
            (Self::Thinking { signature, .. }, BlockDelta::SignatureDelta { signature: whole }) => *signature = whole,
            (Self::Call { call, arguments, .. }, BlockDelta::InputJsonDelta { partial_json: text }) => {
                append(arguments, &text)?;
                if !text.is_empty() {
                    events.push(ProviderEvent::FunctionCallArguments { call: *call, text });
                }
            }
            (Self::Other { input, .. }, BlockDelta::InputJsonDelta { partial_json }) => append(input, &partial_json)?,
            (Self::Other { .. }, _) | (_, BlockDelta::UnknownDelta) => {}
            (Self::Text { .. } | Self::Thinking { .. } | Self::RedactedThinking { .. } | Self::Call { .. }, _) => {
                return Err(Error::Protocol { what: "a delta of another kind than its block" });
            }
        }
        Ok(())
    }

    /// Ends the block. Text blocks are parts of one message; each thinking block is a reasoning item of its own, since
    /// it has its own signature.
    pub(super) fn stop(self, thoughts: &ThoughtSealer, events: &mut Vec<ProviderEvent>) -> StoppedBlock {
        match self {
            Self::Text { said } => events.extend(said.then_some(ProviderEvent::ContentPartFinished)),
            Self::Thinking { thinking, signature } => {
                let said = !thinking.is_empty();
                let sealed = thoughts.signed(thinking, signature);
                let something = said || sealed.is_some();
                events.extend(sealed);
                events.extend(something.then(|| ProviderEvent::ItemFinished { extra: Extra::new() }));
            }
            Self::RedactedThinking { said } => {
                events.extend(said.then(|| ProviderEvent::ItemFinished { extra: Extra::new() }));
            }
            Self::Call { call, arguments, given } => return stop_call(call, arguments, given, events),
            Self::Other { item, mut fields, input } => {
                if let Ok(whole @ Value::Object(_)) = serde_json::from_str(&input) {
                    fields.insert("input".to_owned(), whole);
                }
                events.push(ProviderEvent::OtherItemFinished { item, fields });
            }
        }
        StoppedBlock::Settled
    }
}

/// The output limit can cut the model anywhere, and its block is stopped all the same: only arguments that are JSON
/// are complete.
fn stop_call(
    call: CallIndex,
    arguments: String,
    given: Option<String>,
    events: &mut Vec<ProviderEvent>,
) -> StoppedBlock {
    match (arguments.is_empty(), given) {
        (true, None) => return StoppedBlock::WithoutArguments(call),
        (true, Some(text)) => {
            events.push(ProviderEvent::FunctionCallArguments { call, text });
            events.push(ProviderEvent::FunctionCallFinished { call, extra: Extra::new() });
        }
        (false, _) if serde_json::from_str::<IgnoredAny>(&arguments).is_ok() => {
            events.push(ProviderEvent::FunctionCallFinished { call, extra: Extra::new() });
        }
        (false, _) => {}
    }
    StoppedBlock::Settled
}

/// Text of a field; empty where there is none.
fn take_text(fields: &mut Extra, key: &str) -> String {
    match fields.shift_remove(key) {
        Some(Value::String(text)) => text,
        Some(_) | None => String::new(),
    }
}

/// Text that is a name: not empty, not too long, nothing that no terminal shows.
pub(super) fn word(text: String, longest: usize, what: &'static str) -> Result<String, Error> {
    let is_word = !text.is_empty() && text.len() <= longest && !text.chars().any(char::is_control);
    if is_word { Ok(text) } else { Err(Error::Protocol { what }) }
}

fn has_content(input: &Value) -> bool {
    match input {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => true,
    }
}

fn append(arguments: &mut String, text: &str) -> Result<(), Error> {
    if text.len() > MOST_ARGUMENTS - arguments.len() {
        return Err(Error::Protocol { what: "the arguments of a call are too long" });
    }
    arguments.push_str(text);
    Ok(())
}
