//! The conversation, as the protocol wants it told.
//!
//! Items come in the order in which things happened. Servers of this protocol want the answers to the calls of a
//! message right behind it, one for each call and nothing in between, and refuse anything else.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use antiphon_domain::Prompt;
use antiphon_protocol::{ContentPart, FunctionCall, FunctionCallOutput, Item, Message, Role};

/// A message of the request.
#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum ChatMessage<'a> {
    System {
        content: Content<'a>,
    },
    User {
        content: Content<'a>,
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
        content: Cow<'a, str>,
    },
}

/// One text as a plain string, which every server reads; several as parts.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(&'a str),
    Parts(Vec<TextPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "text")]
pub(super) struct TextPart<'a> {
    text: &'a str,
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
/// Calls in a row are one message, together with the model's words right before them. An answer goes to the first
/// call of its id that has none yet. An answer to no call at all is left out: no server would take it, and admission
/// has refused it to the client already.
pub(super) fn messages(prompt: &Prompt) -> Vec<ChatMessage<'_>> {
    let mut conversation = Conversation::default();
    if let Some(instructions) = &prompt.instructions {
        conversation.entries.push(Entry::Said(ChatMessage::System { content: Content::Text(instructions) }));
    }
    let mut early = Vec::new();
    for item in &prompt.items {
        match item {
            Item::Message(message) => conversation.say(message),
            Item::FunctionCall(call) => conversation.call(call),
            Item::FunctionCallOutput(output) => {
                if !conversation.answer(output) {
                    early.push(output);
                }
            }
            // A thought is the model's own, and the protocol has no agreed place to give it back: some servers
            // refuse a request that tries, others put the thought into the prompt as if it had been said.
            Item::Reasoning(_) | Item::Other(_) => {}
        }
    }
    for output in early {
        conversation.answer(output);
    }
    conversation.entries.into_iter().flat_map(Entry::told).collect()
}

/// The conversation while it is being read.
#[derive(Default)]
struct Conversation<'a> {
    entries: Vec<Entry<'a>>,
    /// Calls without an answer by their ids, oldest first.
    waiting: HashMap<&'a str, VecDeque<Place>>,
    /// The last call of an id that got an answer.
    answered: HashMap<&'a str, Place>,
}

/// A call, by its entry and its place among the entry's calls.
#[derive(Clone, Copy)]
struct Place {
    entry: usize,
    call: usize,
}

enum Entry<'a> {
    Said(ChatMessage<'a>),
    Model(Turn<'a>),
}

/// What the model said in one go.
#[derive(Default)]
struct Turn<'a> {
    content: Option<String>,
    refusal: Option<String>,
    calls: Vec<Asked<'a>>,
}

struct Asked<'a> {
    call: &'a FunctionCall,
    answer: Option<Cow<'a, str>>,
}

impl<'a> Conversation<'a> {
    fn say(&mut self, message: &'a Message) {
        let content = || content(message);
        self.entries.push(match message.role {
            Role::Developer | Role::System => Entry::Said(ChatMessage::System { content: content() }),
            Role::User => Entry::Said(ChatMessage::User { content: content() }),
            Role::Assistant => match (joined(message, text), joined(message, refusal)) {
                // It was cut before its first word.
                (None, None) => return,
                (content, refusal) => Entry::Model(Turn { content, refusal, calls: Vec::new() }),
            },
        });
    }

    fn call(&mut self, call: &'a FunctionCall) {
        // A call that follows an answer was made in the light of it.
        let goes_on = matches!(self.entries.last(), Some(Entry::Model(turn)) if !turn.is_answered());
        if !goes_on {
            self.entries.push(Entry::Model(Turn::default()));
        }
        let entry = self.entries.len() - 1;
        if let Some(Entry::Model(turn)) = self.entries.last_mut() {
            let place = Place { entry, call: turn.calls.len() };
            turn.calls.push(Asked { call, answer: None });
            self.waiting.entry(&call.call_id).or_default().push_back(place);
        }
    }

    /// False if there is no call that this could answer.
    fn answer(&mut self, output: &'a FunctionCallOutput) -> bool {
        let id = output.call_id.as_str();
        let waiting = self.waiting.get_mut(id).and_then(VecDeque::pop_front);
        let Some(place) = waiting.or_else(|| self.answered.get(id).copied()) else { return false };
        self.answered.insert(id, place);
        let Some(Entry::Model(turn)) = self.entries.get_mut(place.entry) else { return false };
        let Some(asked) = turn.calls.get_mut(place.call) else { return false };
        asked.answer = Some(match asked.answer.take() {
            None => Cow::Borrowed(&output.output),
            // Servers refuse a second answer to a call, and nothing of it may be lost.
            Some(first) => Cow::Owned(format!("{first}\n{}", output.output)),
        });
        true
    }
}

impl<'a> Entry<'a> {
    fn told(self) -> Vec<ChatMessage<'a>> {
        let Turn { content, refusal, calls } = match self {
            Self::Said(message) => return vec![message],
            Self::Model(turn) => turn,
        };
        let tool_calls = calls.iter().map(|asked| tool_call(asked.call)).collect();
        let answers = calls.into_iter().filter_map(|Asked { call, answer }| {
            answer.map(|content| ChatMessage::Tool { tool_call_id: &call.call_id, content })
        });
        std::iter::once(ChatMessage::Assistant { content, refusal, tool_calls }).chain(answers).collect()
    }
}

impl Turn<'_> {
    fn is_answered(&self) -> bool {
        self.calls.iter().any(|asked| asked.answer.is_some())
    }
}

fn tool_call(call: &FunctionCall) -> ToolCall<'_> {
    // A call that was cut before its first argument: servers read arguments as JSON.
    let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
    ToolCall { id: &call.call_id, function: Function { name: &call.name, arguments } }
}

fn content(message: &Message) -> Content<'_> {
    let mut texts: Vec<TextPart<'_>> = message.content.iter().filter_map(text).map(|text| TextPart { text }).collect();
    match texts.as_mut_slice() {
        [] => Content::Text(""),
        [only] => Content::Text(only.text),
        [..] => Content::Parts(texts),
    }
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
