#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod as_written;
mod conversation;
mod decoder;
mod forms;
mod hostile;
mod leniency;
mod request;
mod socket;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::decoder::AnthropicDecoder;
use crate::http::{Flow, StreamDecoder};
use crate::{AnthropicOptions, Error, ProviderEvent, ProviderRequest, ThinkingForm, UpstreamLimits};
use antiphon_domain::{Prompt, Request, Target};
use antiphon_protocol::{
    ContentPart, FunctionCall, FunctionCallOutput, Item, ItemId, ItemStatus, JsonObject, Message, OutputText,
    Reasoning, ReasoningText, ResponseId, Role,
};

type Decoded = (Vec<ProviderEvent>, Result<(), Error>);

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = StreamDecoder::new(
        Box::new(AnthropicDecoder::new(&request(Vec::new()), UpstreamLimits::default())),
        UpstreamLimits::default(),
    );
    let mut events = Vec::new();
    for piece in pieces {
        match decoder.push(Bytes::copy_from_slice(piece), &mut events) {
            Ok(Flow::Open) => {}
            Ok(Flow::Done) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
    let result = decoder.end(&mut events);
    (events, result)
}

/// What is told of a stream behind which nothing comes, although its connection is open.
fn silent_after(stream: &str) -> Decoded {
    let (mut decoder, mut events) = begun(stream);
    let result = decoder.fall_silent(&mut events);
    (events, result)
}

/// What is told of a stream whose connection is lost.
fn lost_after(stream: &str) -> Decoded {
    let (mut decoder, mut events) = begun(stream);
    let result = decoder.lose(Error::Closed, &mut events);
    (events, result)
}

fn begun(stream: &str) -> (StreamDecoder, Vec<ProviderEvent>) {
    let decoder = Box::new(AnthropicDecoder::new(&request(Vec::new()), UpstreamLimits::default()));
    let (mut decoder, mut events) = (StreamDecoder::new(decoder, UpstreamLimits::default()), Vec::new());
    decoder.push(Bytes::copy_from_slice(stream.as_bytes()), &mut events).unwrap();
    (decoder, events)
}

/// The stream as the provider writes it.
fn written(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or("x"))).collect()
}

/// What is heard of these events between a proper beginning and a proper end.
fn of_blocks(events: &[Value]) -> Decoded {
    let all = [&[begin()], events, &[finish("end_turn"), json!({ "type": "message_stop" })]].concat();
    let (events, result) = decode([written(&all).as_bytes()]);
    let begin = ProviderEvent::Opened { provider_response_id: Some("msg_1".to_owned()) };
    assert_eq!(events.first(), Some(&begin));
    (events[1..].to_vec(), result)
}

fn begin() -> Value {
    json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message", "content": [] } })
}

/// A beginning that counts the prompt.
fn begin_counted() -> Value {
    let mut begin = begin();
    begin["message"]["usage"] = json!({ "input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1 });
    begin
}

fn start(index: u32, content_block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": content_block })
}

fn delta(index: u32, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn stop(index: u32) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn finish(reason: &str) -> Value {
    json!({ "type": "message_delta", "delta": { "stop_reason": reason, "stop_sequence": null } })
}

fn tool_use(id: &str, input: Value) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "f", "input": input })
}

fn arguments(index: u32, text: &str) -> Value {
    delta(index, json!({ "type": "input_json_delta", "partial_json": text }))
}

fn id() -> ItemId {
    ItemId::of_input("msg", ResponseId::new(), 0)
}

fn message(role: Role, content: Vec<ContentPart>) -> Item {
    Item::Message(Message { id: id(), role, status: ItemStatus::Completed, content, extra: JsonObject::new() })
}

fn asked(text: &str) -> Item {
    message(Role::User, vec![ContentPart::input_text(text)])
}

fn answered(text: &str) -> Item {
    message(
        Role::Assistant,
        vec![ContentPart::OutputText(OutputText { text: text.to_owned(), ..OutputText::default() })],
    )
}

fn thought(texts: &[&str], encrypted_content: Option<&str>) -> Item {
    Item::Reasoning(Reasoning {
        id: id(),
        summary: Vec::new(),
        content: texts.iter().map(|text| ReasoningText { text: (*text).to_owned() }).collect(),
        encrypted_content: encrypted_content.map(str::to_owned),
        status: ItemStatus::Completed,
        extra: JsonObject::new(),
    })
}

fn call(call_id: &str, arguments: &str) -> Item {
    Item::FunctionCall(FunctionCall {
        id: id(),
        call_id: call_id.to_owned(),
        name: "f".to_owned(),
        arguments: arguments.to_owned(),
        status: ItemStatus::Completed,
        extra: JsonObject::new(),
    })
}

fn output(call_id: &str, output: &str) -> Item {
    let (call_id, output) = (call_id.to_owned(), output.to_owned());
    Item::FunctionCallOutput(FunctionCallOutput { id: id(), call_id, output, status: ItemStatus::Completed })
}

fn request(items: Vec<Item>) -> ProviderRequest {
    ProviderRequest::new(Target::new("p", "m"), plain(), Prompt { instructions: None, items })
}

/// Of models that are told how much to think.
fn budget() -> AnthropicOptions {
    AnthropicOptions { thinking: ThinkingForm::Budget, ..AnthropicOptions::default() }
}

fn plain() -> Request {
    Request::new("model", 8192)
}

fn asking(asked: Request) -> ProviderRequest {
    ProviderRequest { request: Arc::new(asked), ..request(Vec::new()) }
}
