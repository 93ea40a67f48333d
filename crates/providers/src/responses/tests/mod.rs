#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod as_written;
mod bounds;
mod endings;
mod items;
mod lasting;
mod leniency;
mod parts;
mod request;

use bytes::Bytes;
use serde_json::{Value, json};

use super::decoder::ResponsesDecoder;
use crate::http::{Flow, StreamDecoder};
use crate::seal::{Origin, Protocol, Sealed};
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};
use antiphon_domain::{FinishReason, Prompt, Request, Target};
use antiphon_protocol::JsonObject;

type Decoded = (Vec<ProviderEvent>, Result<(), Error>);

fn asked() -> ProviderRequest {
    ProviderRequest::new(Target::new("p", "m"), Request::new("model", 77), Prompt::default())
}

fn origin() -> Origin {
    Origin::of(Protocol::Responses, &asked().target)
}

fn sealed(data: &str) -> String {
    origin().seal(&Sealed::Encrypted { data: data.to_owned() }).unwrap()
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = StreamDecoder::new(
        Box::new(ResponsesDecoder::new(&asked(), UpstreamLimits::default())),
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

/// What a stream of these events says.
fn of(stream: &[Value]) -> Decoded {
    let stream: String = stream.iter().map(|event| format!("data: {event}\n\n")).collect();
    decode([stream.as_bytes()])
}

/// What these events say between a beginning and a good end, without those two.
fn between(stream: &[Value]) -> Vec<ProviderEvent> {
    let (mut events, result) = of(&[&[created()], stream, &[completed(&json!([]))]].concat());
    assert_eq!(result, Ok(()), "{events:?}");
    assert_eq!(events.remove(0), opened(Some("resp_up")));
    assert!(matches!(events.pop(), Some(ProviderEvent::Finished(_))));
    events
}

/// What these events say after a beginning, and how they break the protocol.
fn broken(stream: &[Value]) -> (Vec<ProviderEvent>, &'static str) {
    let (mut events, result) = of(&[&[created()], stream].concat());
    assert_eq!(events.remove(0), opened(Some("resp_up")));
    let Err(Error::Protocol { what }) = result else { unreachable!("{result:?}") };
    (events, what)
}

fn created() -> Value {
    json!({ "type": "response.created", "sequence_number": 0, "response": { "id": "resp_up", "status": "in_progress" } })
}

fn completed(output: &Value) -> Value {
    json!({ "type": "response.completed", "response": { "id": "resp_up", "status": "completed", "output": output } })
}

fn added(place: u32, item: Value) -> Value {
    json!({ "type": "response.output_item.added", "output_index": place, "item": item })
}

fn done(place: u32, item: Value) -> Value {
    json!({ "type": "response.output_item.done", "output_index": place, "item": item })
}

/// A piece of a message or of a thought's content: of item and part, by the event that has it.
fn delta(event: &str, (place, part): (u32, u32), text: &str) -> Value {
    json!({ "type": event, "output_index": place, "content_index": part, "delta": text })
}

fn text_delta(place: u32, text: &str) -> Value {
    delta("response.output_text.delta", (place, 0), text)
}

fn message(texts: &[&str]) -> Value {
    let parts: Vec<Value> = texts.iter().map(|text| json!({ "type": "output_text", "text": text })).collect();
    json!({ "type": "message", "id": "msg_up", "role": "assistant", "status": "completed", "content": parts })
}

fn opened(id: Option<&str>) -> ProviderEvent {
    ProviderEvent::Opened { provider_response_id: id.map(str::to_owned) }
}

fn text(text: &str) -> ProviderEvent {
    ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new() }
}

fn thought(text: &str) -> ProviderEvent {
    ProviderEvent::Reasoning { text: text.to_owned() }
}

fn summary(part: u32, text: &str) -> ProviderEvent {
    ProviderEvent::ReasoningSummary { part, text: text.to_owned() }
}

fn speech_finished(extra: Value) -> ProviderEvent {
    ProviderEvent::ItemFinished { extra: origin().mark(fields(extra)) }
}

fn call_started(call: u32, call_id: &str) -> ProviderEvent {
    ProviderEvent::FunctionCallStarted { call, call_id: call_id.to_owned(), name: "f".to_owned() }
}

fn arguments(call: u32, text: &str) -> ProviderEvent {
    ProviderEvent::FunctionCallArguments { call, text: text.to_owned() }
}

fn call_finished(call: u32, extra: Value) -> ProviderEvent {
    ProviderEvent::FunctionCallFinished { call, extra: origin().mark(fields(extra)) }
}

fn finished(reason: FinishReason) -> ProviderEvent {
    ProviderEvent::Finished(reason)
}

fn fields(value: Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}
