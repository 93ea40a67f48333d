//! The conversation in the form that the protocol expects.
//!
//! Items come in the order in which things happened. Servers of this protocol want the answers to the calls of a
//! message right behind it, one for each call and nothing in between, and refuse anything else.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;

use super::decoder::EXTRA_CONTENT;
use super::returned_thoughts::ReturnedThoughts;
use super::{ChatForm, SystemMessages};
use crate::ProviderRequest;
use crate::seal::{Origin, Protocol, Sealed};
use antiphon_domain::CallPairs;
use antiphon_protocol::{ContentPart, FunctionCall, FunctionCallOutput, Item, JsonObject, Message, Reasoning, Role};

/// What stands between texts that become one.
const BETWEEN_TEXTS: &str = "\n\n";

/// The fields of a call that this server sets.
const FIELDS_OF_CALLS: [&str; 4] = ["id", "type", "function", "index"];

/// A message of the request. Contents are plain strings: every server reads them, and some read nothing else.
#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum ChatMessage<'a> {
    System { content: String },
    User { content: String },
    Assistant(Box<AssistantMessage<'a>>),
    Tool { tool_call_id: &'a str, content: &'a str },
}

/// A message of the model.
#[derive(Serialize)]
pub(super) struct AssistantMessage<'a> {
    content: Option<AssistantContent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    #[serde(flatten)]
    thoughts: ReturnedThoughts,
    #[serde(flatten)]
    extra: JsonObject,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
}

/// What the model said, with its thought as a part before it where it came as one.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum AssistantContent {
    Text(String),
    Parts(Vec<AssistantPart>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum AssistantPart {
    Thinking { thinking: [TextPart; 1] },
    Text { text: String },
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "text")]
pub(super) struct TextPart {
    text: String,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
pub(super) struct ToolCall<'a> {
    id: &'a str,
    function: Function<'a>,
    #[serde(flatten)]
    extra: JsonObject,
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
pub(super) fn messages<'a>(asked: &'a ProviderRequest, form: &'a ChatForm) -> Vec<ChatMessage<'a>> {
    let ProviderRequest { prompt, target, .. } = asked;
    let system_messages = form.system_messages;
    let mut conversation = ChatConversation {
        form,
        origin: Origin::of(Protocol::ChatCompletions, target),
        entries: Vec::new(),
        thoughts: None,
        fields: HashMap::new(),
        pairs: CallPairs::of(&prompt.items, &[]),
    };
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
            Item::Reasoning(thought) => conversation.thought(thought),
            // Only its own provider could read such an item.
            Item::Other(_) => {}
        }
    }
    conversation.end_turn();
    let leading = system_message(system).into_iter();
    leading.chain(conversation.entries.into_iter().flat_map(|entry| entry.into_messages(form))).collect()
}

/// The conversation while it is being read.
struct ChatConversation<'a> {
    form: &'a ChatForm,
    origin: Origin,
    entries: Vec<ChatEntry<'a>>,
    /// Thoughts that wait for the message that they belong to.
    thoughts: Option<ReturnedThoughts>,
    /// Fields of calls that were sealed in thoughts before them, by the ids of the calls.
    fields: HashMap<String, JsonObject>,
    pairs: CallPairs<'a>,
}

enum ChatEntry<'a> {
    Assistant(Box<AssistantTurn<'a>>),
    Other(ChatMessage<'a>),
}

/// One message of the model: its text, and the calls right behind it.
#[derive(Default)]
struct AssistantTurn<'a> {
    content: Option<String>,
    refusal: Option<String>,
    thoughts: ReturnedThoughts,
    extra: JsonObject,
    calls: Vec<PairedCall<'a>>,
    /// Whether an output of its calls has come.
    is_answered: bool,
}

struct PairedCall<'a> {
    position: usize,
    call: &'a FunctionCall,
    /// What its model needs back with it.
    extra: JsonObject,
    /// Whether that came with its item, not from a seal.
    has_own: bool,
    output: Option<&'a FunctionCallOutput>,
}

impl<'a> ChatConversation<'a> {
    fn system(&mut self, texts: Vec<&str>) {
        self.entries.extend(system_message(texts).map(ChatEntry::Other));
    }

    fn user(&mut self, message: &Message) {
        self.end_turn();
        self.entries.push(ChatEntry::Other(ChatMessage::User { content: texts(message).join(BETWEEN_TEXTS) }));
    }

    fn assistant(&mut self, message: &Message) {
        let (content, refusal) = (joined(message, text), joined(message, refusal));
        // Without either it was cut before its first word.
        if content.is_some() || refusal.is_some() {
            let thoughts = self.thoughts.take().unwrap_or_default();
            let mut extra = self.origin.own(&message.extra).unwrap_or_default();
            extra.retain(|key, _| key == EXTRA_CONTENT);
            let turn = AssistantTurn { content, refusal, thoughts, extra, ..AssistantTurn::default() };
            self.entries.push(ChatEntry::Assistant(Box::new(turn)));
        }
    }

    /// A thought belongs to the calls before it that have no outputs yet, being of the same answer, else to what follows.
    fn thought(&mut self, thought: &Reasoning) {
        let sealed = thought.encrypted_content.as_deref().and_then(|sealed| self.origin.open(sealed));
        if let Some(Sealed::Call { call_id, fields }) = sealed {
            self.sealed_fields(call_id, fields);
            return;
        }
        let returned = ReturnedThoughts::of(thought, sealed, self.form);
        match self.entries.last_mut() {
            Some(ChatEntry::Assistant(turn)) if !turn.is_answered && !turn.calls.is_empty() => {
                turn.thoughts.append(returned);
            }
            Some(_) | None => self.thoughts.get_or_insert_default().append(returned),
        }
    }

    /// Takes the fields of a call: one before it in the same answer, else one that follows.
    fn sealed_fields(&mut self, call_id: String, fields: JsonObject) {
        let call = match self.entries.last_mut() {
            Some(ChatEntry::Assistant(turn)) if !turn.is_answered => {
                turn.calls.iter_mut().find(|paired| paired.call.call_id == call_id)
            }
            Some(ChatEntry::Assistant(_) | ChatEntry::Other(_)) | None => None,
        };
        match call {
            // Its own fields came with its item.
            Some(call) if !call.has_own => call.extra = unknown_of_calls(fields),
            Some(_) => {}
            None => {
                self.fields.insert(call_id, fields);
            }
        }
    }

    /// Ends the model's turn. Thoughts that nothing followed belong to its last message.
    fn end_turn(&mut self) {
        if let (Some(thoughts), Some(ChatEntry::Assistant(turn))) = (self.thoughts.take(), self.entries.last_mut())
            && turn.calls.is_empty()
        {
            turn.thoughts.append(thoughts);
        }
    }

    fn call(&mut self, position: usize, call: &'a FunctionCall) {
        let sealed = self.fields.remove(&call.call_id).unwrap_or_default();
        let own = self.origin.own(&call.extra).unwrap_or_default();
        let has_own = !own.is_empty();
        let extra = unknown_of_calls(if has_own { own } else { sealed });
        let call = PairedCall { position, call, extra, has_own, output: self.pairs.output_of(position) };
        let thoughts = self.thoughts.take().unwrap_or_default();
        match self.entries.last_mut() {
            Some(ChatEntry::Assistant(turn)) if !turn.is_answered => {
                turn.thoughts.append(thoughts);
                turn.calls.push(call);
            }
            // A call that follows an output was made with that output in the prompt, so it belongs to the next
            // message.
            Some(ChatEntry::Assistant(_) | ChatEntry::Other(_)) | None => {
                let turn = AssistantTurn { thoughts, calls: vec![call], ..AssistantTurn::default() };
                self.entries.push(ChatEntry::Assistant(Box::new(turn)));
            }
        }
    }

    fn output(&mut self, position: usize) {
        self.end_turn();
        let Some(answered) = self.pairs.position_of_call(position) else { return };
        if let Some(ChatEntry::Assistant(turn)) = self.entries.last_mut() {
            turn.is_answered |= turn.calls.iter().any(|call| call.position == answered);
        }
    }
}

/// Fields of a call without those that are set here.
fn unknown_of_calls(fields: JsonObject) -> JsonObject {
    fields.without(&FIELDS_OF_CALLS)
}

impl<'a> ChatEntry<'a> {
    fn into_messages(self, form: &ChatForm) -> Vec<ChatMessage<'a>> {
        let AssistantTurn { content, refusal, mut thoughts, extra, mut calls, .. } = match self {
            Self::Other(message) => return vec![message],
            Self::Assistant(turn) => *turn,
        };
        thoughts.complete(form);
        let content = assistant_content(thoughts.thinking.take(), content);
        sign(&mut calls, form);
        let tool_calls = calls.iter_mut().map(tool_call).collect();
        let outputs = calls.iter().filter_map(|PairedCall { call, output, .. }| {
            output.map(|output| ChatMessage::Tool { tool_call_id: &call.call_id, content: &output.output })
        });
        let message = AssistantMessage { content, refusal, thoughts, extra, tool_calls };
        let message = ChatMessage::Assistant(Box::new(message));
        std::iter::once(message).chain(outputs).collect()
    }
}

/// Google's models want the first call of each message signed, and take this for a signature that there is none of.
fn sign(calls: &mut [PairedCall<'_>], form: &ChatForm) {
    let is_signed = calls.iter().any(|call| call.extra.contains_key(EXTRA_CONTENT));
    if let (Some(signature), Some(first), false) = (&form.missing_thought_signature, calls.first_mut(), is_signed) {
        let signed = json!({ "google": { "thought_signature": signature } });
        first.extra.push(EXTRA_CONTENT, &signed.into());
    }
}

fn tool_call<'a>(paired: &mut PairedCall<'a>) -> ToolCall<'a> {
    let call = paired.call;
    // A call that was cut before its first argument: servers read arguments as JSON.
    let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
    let extra = std::mem::take(&mut paired.extra);
    ToolCall { id: &call.call_id, function: Function { name: &call.name, arguments }, extra }
}

fn assistant_content(thinking: Option<String>, text: Option<String>) -> Option<AssistantContent> {
    let Some(thinking) = thinking else { return text.map(AssistantContent::Text) };
    let mut parts = vec![AssistantPart::Thinking { thinking: [TextPart { text: thinking }] }];
    parts.extend(text.map(|text| AssistantPart::Text { text }));
    Some(AssistantContent::Parts(parts))
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
        ContentPart::InputText { text, .. } => Some(text),
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
