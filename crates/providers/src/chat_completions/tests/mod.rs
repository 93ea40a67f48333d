#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod answers;
mod as_written;
mod calls;
mod cuts;
mod lenience;
mod requests;
mod way_back;

use bytes::Bytes;
use serde_json::{Value, json};

use super::decoder::ChatDecoder;
use crate::http::{Flow, StreamDecoder};
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};
use antiphon_domain::{CallIndex, FinishReason, Prompt, Request, Target};
use antiphon_protocol::{FunctionTool, LogProb, Tool, Usage};

type Decoded = (Vec<ProviderEvent>, Result<(), Error>);

/// A request that wants everything that an answer can hold.
fn curious() -> ProviderRequest {
    ProviderRequest { request_id: "req_1".to_owned(), ..asking(wanting_everything()) }
}

fn wanting_everything() -> Request {
    let tool = FunctionTool { name: "weather".to_owned(), description: None, parameters: None, strict: None };
    Request {
        tools: vec![Tool::Function(tool)],
        top_logprobs: 1,
        include: vec![Request::INCLUDE_LOGPROBS.to_owned(), Request::INCLUDE_ENCRYPTED_REASONING.to_owned()],
        ..Request::new("m", 100)
    }
}

fn asking(request: Request) -> ProviderRequest {
    ProviderRequest::new(Target::new("p", "m"), request, Prompt::default())
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    decode_for(&curious(), pieces)
}

fn decode_for<'a>(request: &ProviderRequest, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder =
        StreamDecoder::new(Box::new(ChatDecoder::new(request, UpstreamLimits::default())), UpstreamLimits::default());
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
    let decoder = Box::new(ChatDecoder::new(&curious(), UpstreamLimits::default()));
    let (mut decoder, mut events) = (StreamDecoder::new(decoder, UpstreamLimits::default()), Vec::new());
    decoder.push(Bytes::copy_from_slice(stream.as_bytes()), &mut events).unwrap();
    (decoder, events)
}

/// What an answer tells; not what is sealed in it, which goes back to its model alone.
fn of_chunks(chunks: &[Value]) -> Decoded {
    of_chunks_for(&curious(), chunks)
}

fn of_chunks_for(request: &ProviderRequest, chunks: &[Value]) -> Decoded {
    let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    let (mut events, result) = decode_for(request, [stream.as_bytes()]);
    events.retain(|event| !matches!(event, ProviderEvent::EncryptedReasoning { .. }));
    (events, result)
}

fn text(text: &str) -> ProviderEvent {
    ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new() }
}

fn reasoning(text: &str) -> ProviderEvent {
    ProviderEvent::Reasoning { text: text.to_owned() }
}

fn usage(input_tokens: u64, output_tokens: u64) -> ProviderEvent {
    let total_tokens = input_tokens + output_tokens;
    ProviderEvent::Usage(Usage { input_tokens, output_tokens, total_tokens, ..Usage::default() })
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }], "usage": null })
}

fn finish(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

fn stop() -> ProviderEvent {
    ProviderEvent::Finished(FinishReason::Stop)
}

fn protocol(what: &'static str) -> Error {
    Error::Protocol { what }
}

fn refusal(text: &str) -> ProviderEvent {
    ProviderEvent::Refusal { text: text.to_owned() }
}

fn started(call: CallIndex, call_id: &str, name: &str) -> ProviderEvent {
    ProviderEvent::FunctionCallStarted { call, call_id: call_id.to_owned(), name: name.to_owned() }
}

fn arguments(call: CallIndex, text: &str) -> ProviderEvent {
    ProviderEvent::FunctionCallArguments { call, text: text.to_owned() }
}

/// Everything of an event: its own `Debug` shows no content.
fn shown(event: &ProviderEvent) -> String {
    let (kind, text) =
        (format!("{event:?}"), |text: &str, logprobs: &[LogProb]| format!("{text:?} {}", logprobs.len()));
    let what = match event {
        ProviderEvent::Text { text: piece, logprobs, .. } => text(piece, logprobs),
        ProviderEvent::Reasoning { text: piece, .. } | ProviderEvent::Refusal { text: piece, .. } => text(piece, &[]),
        ProviderEvent::ReasoningSummary { part, text, .. } => format!("{part} {text:?}"),
        ProviderEvent::EncryptedReasoning { encrypted_content } => encrypted_content.clone(),
        ProviderEvent::FunctionCallStarted { call, call_id, name } => format!("{call} {call_id} {name}"),
        ProviderEvent::FunctionCallArguments { call, text, .. } => format!("{call} {text}"),
        ProviderEvent::Usage(usage) => format!("{usage:?}"),
        ProviderEvent::InputUsage(usage) => format!("{usage:?}"),
        ProviderEvent::ServiceTier { tier } => tier.clone(),
        ProviderEvent::Finished(reason) => format!("{reason:?}"),
        ProviderEvent::Opened { .. }
        | ProviderEvent::Annotation { .. }
        | ProviderEvent::FunctionCallFinished { .. }
        | ProviderEvent::ContentPartFinished
        | ProviderEvent::ItemFinished { .. }
        | ProviderEvent::OtherItemStarted { .. }
        | ProviderEvent::OtherItemEvent { .. }
        | ProviderEvent::OtherItemFinished { .. } => String::new(),
    };
    format!("{kind} {what}")
}

/// Compares so that a failure shows what came instead.
#[track_caller]
fn check((events, result): Decoded, expected: (Vec<ProviderEvent>, Result<(), Error>), what: &str) {
    if (&events, &result) == (&expected.0, &expected.1) {
        return;
    }
    let shown = |events: &[ProviderEvent]| events.iter().map(shown).collect::<Vec<_>>();
    assert_eq!((shown(&events), &result), (shown(&expected.0), &expected.1), "{what}");
    assert_eq!(events, expected.0, "{what}");
}
