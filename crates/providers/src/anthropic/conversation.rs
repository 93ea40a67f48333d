//! The conversation in the protocol's order: user and model in turns, each call answered in the turn that follows.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::call_ids::AnthropicCallIds;
use crate::ProviderRequest;
use crate::seal::{Origin, Protocol, Sealed};
use antiphon_domain::{CallPairs, UNANSWERED_CALL};
use antiphon_protocol::{ContentPart, FunctionCall, FunctionCallOutput, Item, JsonObject, Message, Reasoning, Role};

/// The whole conversation in the protocol's form.
pub(super) struct AnthropicConversation<'a> {
    /// Instructions and the messages of developers, in order, with an empty line between them.
    pub(super) system: Option<String>,
    /// The turns. Adjacent ones have different roles, and none is empty.
    pub(super) turns: Vec<ConversationTurn<'a>>,
}

/// One turn: the blocks of one role until those of the other.
#[derive(Serialize)]
pub(super) struct ConversationTurn<'a> {
    role: TurnRole,
    content: Vec<MessageBlock<'a>>,
}

/// The roles of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum TurnRole {
    User,
    Assistant,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum MessageBlock<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: &'a str,
        input: ToolInput<'a>,
        #[serde(flatten)]
        extra: JsonObject,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

/// That the prompt up to the end of a block is to be cached.
#[derive(Clone, Copy, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum CacheControl {
    Ephemeral,
}

/// The fields of a call that are set here.
const FIELDS_OF_CALLS: [&str; 4] = ["type", "id", "name", "input"];

/// How many blocks may have it: the protocol refuses more.
const MOST_CACHED: usize = 4;

/// The arguments of a call, an object to the letter as the model wrote it. Those of a call that was cut are none,
/// and become an empty one.
struct ToolInput<'a>(Option<&'a RawValue>);

impl Serialize for ToolInput<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(object) => object.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

impl<'a> AnthropicConversation<'a> {
    pub(super) fn new(asked: &'a ProviderRequest) -> Self {
        let (prompt, origin) = (&asked.prompt, Origin::of(Protocol::Anthropic, &asked.target));
        let mut system: Vec<&str> = prompt.instructions.as_deref().into_iter().collect();
        let mut writer = ConversationWriter::new(CallPairs::of(&prompt.items, &[]), origin);
        for (position, item) in prompt.items.iter().enumerate() {
            match item {
                Item::Message(message) => match message.role {
                    Role::Developer | Role::System => system.extend(texts(message)),
                    Role::User => text_blocks(message).for_each(|block| writer.add(TurnRole::User, block)),
                    Role::Assistant => text_blocks(message).for_each(|block| writer.add(TurnRole::Assistant, block)),
                },
                Item::FunctionCall(call) => writer.call(position, call),
                Item::FunctionCallOutput(_) => writer.output(position),
                Item::Reasoning(thought) => writer.thought(thought),
                // Only its own provider could read such an item.
                Item::Other(_) => {}
            }
        }
        system.retain(|text| has_words(text));
        Self { system: (!system.is_empty()).then(|| system.join("\n\n")), turns: writer.finish() }
    }

    /// Whether thinking can be asked for. The protocol refuses it if the model continues its own text, or continues
    /// from answers to calls that it made without thinking.
    pub(super) fn takes_a_thought(&self) -> bool {
        let asks = |turn: &ConversationTurn<'_>| turn.role == TurnRole::User && !turn.begins_with_a_result();
        let work = self.turns.iter().rposition(asks).map_or(0, |asked| asked + 1);
        let last_word = self.turns.last().is_some_and(|turn| turn.role == TurnRole::User);
        last_word && self.turns.get(work).is_none_or(ConversationTurn::begins_with_a_thought)
    }
}

impl ConversationTurn<'_> {
    fn begins_with_a_result(&self) -> bool {
        matches!(self.content.first(), Some(MessageBlock::ToolResult { .. }))
    }

    fn begins_with_a_thought(&self) -> bool {
        matches!(self.content.first(), Some(MessageBlock::Thinking { .. } | MessageBlock::RedactedThinking { .. }))
    }
}

/// Puts blocks into turns.
struct ConversationWriter<'a> {
    turns: Vec<ConversationTurn<'a>>,
    origin: Origin,
    pairs: CallPairs<'a>,
    /// Thinking blocks that wait for the block that follows them: a turn cannot end with one.
    thoughts: Vec<MessageBlock<'a>>,
    /// The calls of the turn that is being written.
    calls: Vec<WrittenCall<'a>>,
    ids: AnthropicCallIds<'a>,
}

/// A call that stands in a turn, and what stands in the next one.
struct WrittenCall<'a> {
    id: String,
    position: usize,
    output: Option<&'a FunctionCallOutput>,
}

impl<'a> ConversationWriter<'a> {
    fn new(pairs: CallPairs<'a>, origin: Origin) -> Self {
        let (turns, thoughts, calls, ids) = (Vec::new(), Vec::new(), Vec::new(), AnthropicCallIds::default());
        Self { turns, origin, pairs, thoughts, calls, ids }
    }

    fn thought(&mut self, thought: &Reasoning) {
        self.thoughts.extend(sealed(thought, &self.origin));
    }

    fn add(&mut self, role: TurnRole, block: MessageBlock<'a>) {
        match role {
            TurnRole::User => {
                self.answer_calls();
                self.thoughts.clear();
                self.push(role, block);
            }
            TurnRole::Assistant => {
                for thought in std::mem::take(&mut self.thoughts) {
                    self.push(role, thought);
                }
                self.push(role, block);
            }
        }
    }

    fn call(&mut self, position: usize, call: &'a FunctionCall) {
        let id = self.ids.next(&call.call_id);
        self.calls.push(WrittenCall { id: id.clone(), position, output: self.pairs.output_of(position) });
        let input = ToolInput(object(&call.arguments));
        let extra = self.origin.own(&call.extra).unwrap_or_default().without(&FIELDS_OF_CALLS);
        self.add(TurnRole::Assistant, MessageBlock::ToolUse { id, name: &call.name, input, extra });
    }

    /// Writes the outputs of the turn's calls if the output at this position is one of them. Any other was written
    /// already, right behind its call.
    fn output(&mut self, position: usize) {
        let call = self.pairs.position_of_call(position);
        if call.is_some_and(|answered| self.calls.iter().any(|call| call.position == answered)) {
            self.answer_calls();
        }
    }

    /// Ends the model's turn with the outputs of its calls, in the order of the calls.
    fn answer_calls(&mut self) {
        for WrittenCall { id: tool_use_id, output, .. } in std::mem::take(&mut self.calls) {
            self.thoughts.clear();
            let (content, is_error) = match output {
                Some(output) => (Some(output.output.as_str()).filter(|text| has_words(text)), false),
                None => (Some(UNANSWERED_CALL), true),
            };
            self.push(TurnRole::User, MessageBlock::ToolResult { tool_use_id, content, is_error });
        }
    }

    fn push(&mut self, role: TurnRole, block: MessageBlock<'a>) {
        match self.turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.content.push(block),
            None => self.turns.push(ConversationTurn { role, content: vec![block] }),
        }
    }

    fn finish(mut self) -> Vec<ConversationTurn<'a>> {
        self.answer_calls();
        // The protocol refuses a last message that ends with white space.
        if let Some(ConversationTurn { role: TurnRole::Assistant, content }) = self.turns.last_mut()
            && let Some(MessageBlock::Text { text, .. }) = content.last_mut()
        {
            *text = text.trim_end();
        }
        self.keep_last_cached();
        self.turns
    }

    fn keep_last_cached(&mut self) {
        let blocks = self.turns.iter_mut().flat_map(|turn| &mut turn.content).rev();
        let cached = blocks.filter_map(|block| match block {
            MessageBlock::Text { cache_control, .. } => Some(cache_control).filter(|control| control.is_some()),
            MessageBlock::Thinking { .. }
            | MessageBlock::RedactedThinking { .. }
            | MessageBlock::ToolUse { .. }
            | MessageBlock::ToolResult { .. } => None,
        });
        cached.skip(MOST_CACHED).for_each(|control| *control = None);
    }
}

fn text_blocks(message: &Message) -> impl Iterator<Item = MessageBlock<'_>> {
    message.content.iter().filter_map(|part| {
        let text = text(part).filter(|text| has_words(text))?;
        let is_cached = matches!(part, ContentPart::InputText { prompt_cache_breakpoint: Some(_), .. });
        Some(MessageBlock::Text { text, cache_control: is_cached.then_some(CacheControl::Ephemeral) })
    })
}

/// The texts of a message; the protocol takes none that are blank.
fn texts(message: &Message) -> impl Iterator<Item = &str> {
    message.content.iter().filter_map(text).filter(|text| has_words(text))
}

/// A refusal is sent as text of the model.
fn text(part: &ContentPart) -> Option<&str> {
    match part {
        ContentPart::InputText { text, .. } => Some(text),
        ContentPart::OutputText(output) => Some(&output.text),
        ContentPart::Refusal { refusal } => Some(refusal),
        ContentPart::ReasoningText { .. } => None,
    }
}

fn has_words(text: &str) -> bool {
    !text.trim().is_empty()
}

fn object(arguments: &str) -> Option<&RawValue> {
    serde_json::from_str(arguments).ok().filter(|value: &&RawValue| value.get().starts_with('{'))
}

/// The reasoning in the provider's own form, if it came from this model.
fn sealed(thought: &Reasoning, origin: &Origin) -> Option<MessageBlock<'static>> {
    match origin.open(thought.encrypted_content.as_deref()?)? {
        Sealed::Signature { signature, thinking } => {
            let in_item = || thought.content.iter().map(|part| part.text.as_str()).collect();
            Some(MessageBlock::Thinking { thinking: thinking.unwrap_or_else(in_item), signature })
        }
        Sealed::Redacted { data } => Some(MessageBlock::RedactedThinking { data }),
        Sealed::Encrypted { .. } | Sealed::Thought(_) | Sealed::Call { .. } => None,
    }
}
