//! The conversation in the form that the protocol expects.
//!
//! Items come in the order in which things happened. Servers of this protocol want the answers to the calls of a
//! message right behind it, one for each call and nothing in between, and refuse anything else.

use serde::Serialize;

use super::SystemMessages;
use antiphon_domain::{CallPairs, Prompt};
use antiphon_protocol::{ContentPart, FunctionCall, FunctionCallOutput, Item, Message, Role};

/// What stands between texts that become one.
const BETWEEN_TEXTS: &str = "\n\n";

/// A message of the request. Contents are plain strings: every server reads them, and some read nothing else.
#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum ChatMessage<'a> {
    System {
        content: String,
    },
    User {
        content: String,
    },
    Assistant {
        content: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        refusal: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
pub(super) struct ToolCall<'a> {
    id: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// The messages of a prompt.
///
/// Calls in a row are one message, together with the model's words right before them. An output that answers no call is
/// left out: no server would take it, and admission has refused it to the client already.
pub(super) fn messages(prompt: &Prompt, system_messages: SystemMessages) -> Vec<ChatMessage<'_>> {
    let pairs = CallPairs::of(&prompt.items, &[]);
    let mut conversation = ChatConversation { entries: Vec::new(), pairs };
    let mut system: Vec<&str> = prompt.instructions.as_deref().into_iter().collect();
    if system_messages == SystemMessages::InPlace {
        conversation.system(std::mem::take(&mut system));
    }
    for (position, item) in prompt.items.iter().enumerate() {
        match item {
            Item::Message(message) => match (message.role, system_messages) {
                (Role::Developer | Role::System, SystemMessages::Merged) => system.extend(texts(message)),
                (Role::Developer | Role::System, SystemMessages::InPlace) => conversation.system(texts(message)),
                (Role::User, _) => conversation.user(message),
                (Role::Assistant, _) => conversation.assistant(message),
            },
            Item::FunctionCall(call) => conversation.call(position, call),
            Item::FunctionCallOutput(_) => conversation.output(position),
            // The protocol has no agreed field for giving reasoning back: some servers refuse a request that has it,
            // others put it into the prompt as if it were text.
            Item::Reasoning(_) | Item::Other(_) => {}
        }
    }
    let leading = system_message(system).into_iter();
    leading.chain(conversation.entries.into_iter().flat_map(ChatEntry::into_messages)).collect()
}

/// The conversation while it is being read.
struct ChatConversation<'a> {
    entries: Vec<ChatEntry<'a>>,
    pairs: CallPairs<'a>,
}

enum ChatEntry<'a> {
    Assistant(AssistantTurn<'a>),
    Other(ChatMessage<'a>),
}

/// One message of the model: its text, and the calls right behind it.
#[derive(Default)]
struct AssistantTurn<'a> {
    content: Option<String>,
    refusal: Option<String>,
    calls: Vec<PairedCall<'a>>,
    /// Whether an output of its calls has come.
    is_answered: bool,
}

struct PairedCall<'a> {
    position: usize,
    call: &'a FunctionCall,
    output: Option<&'a FunctionCallOutput>,
}

impl<'a> ChatConversation<'a> {
    fn system(&mut self, texts: Vec<&str>) {
        self.entries.extend(system_message(texts).map(ChatEntry::Other));
    }

    fn user(&mut self, message: &Message) {
        self.entries.push(ChatEntry::Other(ChatMessage::User { content: texts(message).join(BETWEEN_TEXTS) }));
    }

    fn assistant(&mut self, message: &Message) {
        let (content, refusal) = (joined(message, text), joined(message, refusal));
        // Without either it was cut before its first word.
        if content.is_some() || refusal.is_some() {
            self.entries.push(ChatEntry::Assistant(AssistantTurn { content, refusal, ..AssistantTurn::default() }));
        }
    }

    fn call(&mut self, position: usize, call: &'a FunctionCall) {
        let call = PairedCall { position, call, output: self.pairs.output_of(position) };
        match self.entries.last_mut() {
            Some(ChatEntry::Assistant(turn)) if !turn.is_answered => turn.calls.push(call),
            // A call that follows an output was made with that output in the prompt, so it belongs to the next
            // message.
            Some(ChatEntry::Assistant(_) | ChatEntry::Other(_)) | None => {
                let turn = AssistantTurn { calls: vec![call], ..AssistantTurn::default() };
                self.entries.push(ChatEntry::Assistant(turn));
            }
        }
    }

    fn output(&mut self, position: usize) {
        let Some(answered) = self.pairs.position_of_call(position) else { return };
        if let Some(ChatEntry::Assistant(turn)) = self.entries.last_mut() {
            turn.is_answered |= turn.calls.iter().any(|call| call.position == answered);
        }
    }
}

impl<'a> ChatEntry<'a> {
    fn into_messages(self) -> Vec<ChatMessage<'a>> {
        let AssistantTurn { content, refusal, calls, .. } = match self {
            Self::Other(message) => return vec![message],
            Self::Assistant(turn) => turn,
        };
        let tool_calls = calls.iter().map(|paired| tool_call(paired.call)).collect();
        let outputs = calls.iter().filter_map(|PairedCall { call, output, .. }| {
            output.map(|output| ChatMessage::Tool { tool_call_id: &call.call_id, content: &output.output })
        });
        std::iter::once(ChatMessage::Assistant { content, refusal, tool_calls }).chain(outputs).collect()
    }
}

fn tool_call(call: &FunctionCall) -> ToolCall<'_> {
    // A call that was cut before its first argument: servers read arguments as JSON.
    let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
    ToolCall { id: &call.call_id, function: Function { name: &call.name, arguments } }
}

fn system_message(texts: Vec<&str>) -> Option<ChatMessage<'static>> {
    let texts: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    (!texts.is_empty()).then(|| ChatMessage::System { content: texts.join(BETWEEN_TEXTS) })
}

fn texts(message: &Message) -> Vec<&str> {
    message.content.iter().filter_map(text).filter(|text| !text.is_empty()).collect()
}

fn joined<'a>(message: &'a Message, part: impl Fn(&'a ContentPart) -> Option<&'a str>) -> Option<String> {
    let text: String = message.content.iter().filter_map(part).collect();
    (!text.is_empty()).then_some(text)
}

fn text(part: &ContentPart) -> Option<&str> {
    match part {
        ContentPart::InputText { text } => Some(text),
        ContentPart::OutputText(output) => Some(&output.text),
        ContentPart::Refusal { .. } | ContentPart::ReasoningText { .. } => None,
    }
}

fn refusal(part: &ContentPart) -> Option<&str> {
    match part {
        ContentPart::Refusal { refusal } => Some(refusal),
        ContentPart::InputText { .. } | ContentPart::OutputText(_) | ContentPart::ReasoningText { .. } => None,
    }
}
