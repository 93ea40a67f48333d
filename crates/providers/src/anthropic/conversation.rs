//! The conversation in the protocol's order: user and model in turns, each call answered in the turn that follows.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{call_ids::AnthropicCallIds, seal::Seal};
use antiphon_domain::{CallPairs, Prompt, UNANSWERED_CALL};
use antiphon_protocol::{ContentPart, FunctionCall, FunctionCallOutput, Item, Message, Reasoning, Role};

/// What the whole conversation comes to.
pub(super) struct AnthropicConversation<'a> {
    /// Instructions and the messages of developers, in order, with an empty line between them.
    pub(super) system: Option<String>,
    /// The turns. Neighbours have different speakers, and none is empty.
    pub(super) turns: Vec<ConversationTurn<'a>>,
}

/// What one side says until the other does.
#[derive(Serialize)]
pub(super) struct ConversationTurn<'a> {
    role: TurnRole,
    content: Vec<MessageBlock<'a>>,
}

/// The protocol has no other.
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
    },
    Thinking {
        thinking: String,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: String,
        name: &'a str,
        input: ToolInput<'a>,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

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
    pub(super) fn new(prompt: &'a Prompt) -> Self {
        let mut system: Vec<&str> = prompt.instructions.as_deref().into_iter().collect();
        let mut writer = ConversationWriter::new(CallPairs::of(&prompt.items, &[]));
        for (position, item) in prompt.items.iter().enumerate() {
            match item {
                Item::Message(message) => match message.role {
                    Role::Developer | Role::System => system.extend(texts(message)),
                    Role::User => {
                        texts(message).for_each(|text| writer.say(TurnRole::User, MessageBlock::Text { text }))
                    }
                    Role::Assistant => {
                        texts(message).for_each(|text| writer.say(TurnRole::Assistant, MessageBlock::Text { text }));
                    }
                },
                Item::FunctionCall(call) => writer.call(position, call),
                Item::FunctionCallOutput(_) => writer.output(position),
                Item::Reasoning(thought) => writer.thoughts.extend(sealed(thought)),
                // Its provider alone would know what it is.
                Item::Other(_) => {}
            }
        }
        system.retain(|text| has_words(text));
        Self { system: (!system.is_empty()).then(|| system.join("\n\n")), turns: writer.finish() }
    }

    /// Whether the model can think before it goes on. It cannot where it goes on from its own words, nor where it
    /// goes on from answers to calls that it made without a thought: the protocol refuses both.
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
    pairs: CallPairs<'a>,
    /// Thoughts that wait for what they led to: a turn cannot end with one.
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
    fn new(pairs: CallPairs<'a>) -> Self {
        Self { turns: Vec::new(), pairs, thoughts: Vec::new(), calls: Vec::new(), ids: AnthropicCallIds::default() }
    }

    fn say(&mut self, speaker: TurnRole, block: MessageBlock<'a>) {
        match speaker {
            TurnRole::User => {
                self.answer_calls();
                self.thoughts.clear();
                self.push(speaker, block);
            }
            TurnRole::Assistant => {
                for thought in std::mem::take(&mut self.thoughts) {
                    self.push(speaker, thought);
                }
                self.push(speaker, block);
            }
        }
    }

    fn call(&mut self, position: usize, call: &'a FunctionCall) {
        let id = self.ids.next(&call.call_id);
        self.calls.push(WrittenCall { id: id.clone(), position, output: self.pairs.output_of(position) });
        let input = ToolInput(object(&call.arguments));
        self.say(TurnRole::Assistant, MessageBlock::ToolUse { id, name: &call.name, input });
    }

    /// The output at this position belongs here, or has been given already, right behind its call.
    fn output(&mut self, position: usize) {
        let call = self.pairs.position_of_call(position);
        if call.is_some_and(|answered| self.calls.iter().any(|call| call.position == answered)) {
            self.answer_calls();
        }
    }

    /// Ends the model's turn with the answers to its calls, in the order of the calls.
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
        // The protocol refuses to go on from white space.
        if let Some(ConversationTurn { role: TurnRole::Assistant, content }) = self.turns.last_mut()
            && let Some(MessageBlock::Text { text }) = content.last_mut()
        {
            *text = text.trim_end();
        }
        self.turns
    }
}

/// What a message says; the protocol takes no text without a word.
fn texts(message: &Message) -> impl Iterator<Item = &str> {
    message.content.iter().filter_map(text).filter(|text| has_words(text))
}

/// A refusal is what the model said, like anything else.
fn text(part: &ContentPart) -> Option<&str> {
    match part {
        ContentPart::InputText { text } => Some(text),
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

/// The thought in the provider's own form, if it is one of this provider's.
fn sealed(thought: &Reasoning) -> Option<MessageBlock<'_>> {
    match Seal::read(thought.encrypted_content.as_deref()?)? {
        Seal::Signature(signature) => {
            let thinking = thought.content.iter().map(|part| part.text.as_str()).collect();
            Some(MessageBlock::Thinking { thinking, signature })
        }
        Seal::Redacted(data) => Some(MessageBlock::RedactedThinking { data }),
    }
}
