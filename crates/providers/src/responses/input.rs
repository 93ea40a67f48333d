//! The conversation as the items of a request.

use serde::Serialize;

use crate::ProviderRequest;
use crate::seal::{Origin, Protocol, Sealed};
use antiphon_protocol::{
    ContentPart, FunctionCall, FunctionCallOutput, Item, Json, JsonObject, Message, OtherItem, Reasoning, Role,
    SummaryText,
};

/// The types of annotations that the protocol has, and what each must have.
const ANNOTATIONS: [(&str, &[&str]); 4] = [
    ("file_citation", &["file_id", "filename", "index"]),
    ("url_citation", &["start_index", "end_index", "title", "url"]),
    ("container_file_citation", &["container_id", "file_id", "filename", "start_index", "end_index"]),
    ("file_path", &["file_id", "index"]),
];

/// An item as the provider takes it: without an id, which is one of this server's, without a status, and with no fields
/// of another model.
#[derive(Serialize)]
pub(super) struct ResponsesItem<'a> {
    #[serde(flatten)]
    known: ResponsesItemFields<'a>,
    #[serde(flatten)]
    others: JsonObject,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponsesItemFields<'a> {
    Message {
        role: Role,
        content: Vec<ResponsesPart<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<Json>,
    },
    Reasoning {
        summary: &'a [SummaryText],
        encrypted_content: String,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: &'a str,
    },
    #[serde(untagged)]
    Other {
        #[serde(rename = "type")]
        kind: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponsesPart<'a> {
    InputText {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<&'a JsonObject>,
    },
    OutputText {
        text: &'a str,
        annotations: Vec<&'a JsonObject>,
    },
    Refusal {
        refusal: &'a str,
    },
}

impl ResponsesItemFields<'_> {
    /// Which fields of others are left out.
    fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Message { .. } => &["id", "type", "role", "content", "phase"],
            Self::Reasoning { .. } => &["id", "type", "summary", "encrypted_content"],
            Self::FunctionCall { .. } => &["id", "type", "call_id", "name", "arguments"],
            Self::FunctionCallOutput { .. } => &["id", "type", "call_id", "output"],
            Self::Other { .. } => &["id", "type"],
        }
    }
}

/// The items of the prompt.
pub(super) fn input(asked: &ProviderRequest) -> Vec<ResponsesItem<'_>> {
    let origin = Origin::of(Protocol::Responses, &asked.target);
    let item = |item| {
        let (known, others) = input_item(item, &origin)?;
        let others = others.unwrap_or_default().without(known.keys());
        Some(ResponsesItem { known, others })
    };
    asked.prompt.items.iter().filter_map(item).collect()
}

/// The fields that are known, and the others that go back to their model.
fn input_item<'a>(item: &'a Item, origin: &Origin) -> Option<(ResponsesItemFields<'a>, Option<JsonObject>)> {
    match item {
        Item::Message(message) => said(message, origin),
        Item::Reasoning(reasoning) => thought(reasoning, origin),
        Item::FunctionCall(FunctionCall { id: _, call_id, name, arguments, status: _, extra }) => {
            Some((ResponsesItemFields::FunctionCall { call_id, name, arguments }, origin.own(extra)))
        }
        Item::FunctionCallOutput(FunctionCallOutput { id: _, call_id, output, status: _ }) => {
            Some((ResponsesItemFields::FunctionCallOutput { call_id, output }, None))
        }
        // The fields, the status among them, are passed on as they are: only the provider knows their meaning.
        Item::Other(OtherItem { kind, .. }) if is_of_messages(kind) => None,
        Item::Other(OtherItem { id: _, kind, fields }) => {
            origin.own(fields).map(|own| (ResponsesItemFields::Other { kind }, Some(own)))
        }
    }
}

/// None for an empty message, of a model for example that was cut before any text. The phase of an answer is known to all
/// models of this API.
fn said<'a>(
    Message { id: _, role, status: _, content, extra }: &'a Message,
    origin: &Origin,
) -> Option<(ResponsesItemFields<'a>, Option<JsonObject>)> {
    let by_model = *role == Role::Assistant;
    let content: Vec<_> = content.iter().filter_map(|part| input_part(part, by_model)).collect();
    if content.is_empty() {
        return None;
    }
    let (phase, own) = if by_model { (extra.get("phase"), origin.own(extra)) } else { (None, None) };
    Some((ResponsesItemFields::Message { role: *role, content, phase }, own))
}

fn input_part(part: &ContentPart, by_model: bool) -> Option<ResponsesPart<'_>> {
    let (text, prompt_cache_breakpoint, annotations) = match part {
        ContentPart::InputText { text, prompt_cache_breakpoint } => (text, prompt_cache_breakpoint.as_ref(), &[][..]),
        ContentPart::OutputText(output) => (&output.text, None, output.annotations.as_slice()),
        ContentPart::Refusal { refusal } => return Some(ResponsesPart::Refusal { refusal }),
        ContentPart::ReasoningText { .. } => return None,
    };
    match by_model {
        true if text.is_empty() => None,
        true => {
            let annotations = annotations.iter().filter(|annotation| is_of_responses(annotation)).collect();
            Some(ResponsesPart::OutputText { text, annotations })
        }
        false => Some(ResponsesPart::InputText { text, prompt_cache_breakpoint }),
    }
}

/// Whether an annotation has a type of this protocol, and what one of it must have. Its providers refuse others, and with
/// them the whole request.
fn is_of_responses(annotation: &JsonObject) -> bool {
    let kind = annotation.text("type");
    let known = ANNOTATIONS.iter().find(|(known, _)| kind.as_deref() == Some(*known));
    known.is_some_and(|(_, fields)| fields.iter().all(|field| annotation.contains_key(field)))
}

/// Whether a kind of item comes from the Messages protocol, by the prefix that this server gives it there. No other
/// provider can read it.
fn is_of_messages(kind: &str) -> bool {
    kind.starts_with("anthropic:")
}

/// None for reasoning that is not sealed, or not by this provider: one that stores nothing has no other copy of it.
fn thought<'a>(reasoning: &'a Reasoning, origin: &Origin) -> Option<(ResponsesItemFields<'a>, Option<JsonObject>)> {
    let Sealed::Encrypted { data } = origin.open(reasoning.encrypted_content.as_deref()?)? else { return None };
    let known = ResponsesItemFields::Reasoning { summary: &reasoning.summary, encrypted_content: data };
    Some((known, origin.own(&reasoning.extra)))
}
