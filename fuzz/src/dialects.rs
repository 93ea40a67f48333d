//! The answers of providers: any bytes, in each dialect.

use std::sync::LazyLock;

use antiphon_domain::{Attempt, Fact, Prompt, ProviderEvent, Request, Target, Timestamp};
use antiphon_protocol::{FunctionTool, Tool};
use antiphon_providers::{
    Anthropic, ChatCompletions, Error, Flow, ProviderRequest, Responses, StreamDecoder, UpstreamError, UpstreamOptions,
};
use bytes::Bytes;

use crate::fold;

/// A time that facts have.
const AT: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

/// What an answer may hold that its bytes do not: ids that are made, names of what is sealed.
const MADE_PER_BYTE: usize = 16;

type DecodedEvents = (Vec<ProviderEvent>, Result<(), Error>);

pub(crate) fn chat_completions(bytes: &[u8]) {
    static ADAPTER: LazyLock<ChatCompletions> = LazyLock::new(|| adapter(ChatCompletions::new));
    check(bytes, &|request| ADAPTER.decoder(request));
}

pub(crate) fn responses(bytes: &[u8]) {
    static ADAPTER: LazyLock<Responses> = LazyLock::new(|| adapter(Responses::new));
    check(bytes, &|request| ADAPTER.decoder(request));
}

pub(crate) fn anthropic(bytes: &[u8]) {
    static ADAPTER: LazyLock<Anthropic> = LazyLock::new(|| adapter(Anthropic::new));
    check(bytes, &|request| ADAPTER.decoder(request));
}

#[expect(clippy::expect_used, reason = "the options are right")]
fn adapter<A>(new: fn(UpstreamOptions) -> Result<A, UpstreamError>) -> A {
    new(UpstreamOptions::new("http://127.0.0.1:1".to_owned())).expect("the options are right")
}

fn check(bytes: &[u8], decoder: &dyn Fn(&ProviderRequest) -> StreamDecoder) {
    let request = asking();
    let whole = decode(decoder(&request), [bytes]);
    for most in [1, 7] {
        let cut = decode(decoder(&request), bytes.chunks(most));
        assert_eq!(cut.1, whole.1, "pieces of {most} bytes end otherwise");
        assert!(cut.0 == whole.0, "pieces of {most} bytes give {:?} and not {:?}", cut.0, whole.0);
    }
    let (events, result) = whole;
    let output: usize = events.iter().map(ProviderEvent::output_bytes).sum();
    assert!(output <= MADE_PER_BYTE * bytes.len(), "{output} bytes of output from {} bytes", bytes.len());
    check_ending(&events, result.is_ok());
    fold::check(&facts(request, events));
}

fn decode<'a>(mut decoder: StreamDecoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> DecodedEvents {
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

/// An answer that ended well says why it did, once, and at most usage follows that.
fn check_ending(events: &[ProviderEvent], is_ok: bool) {
    let mut reasons = events.iter().enumerate().filter(|(_, event)| matches!(event, ProviderEvent::Finished(_)));
    let first = reasons.next();
    assert!(first.is_some() || !is_ok, "the answer is complete, and has no reason: {events:?}");
    assert!(reasons.next().is_none(), "the answer has two reasons: {events:?}");
    let after = first.map_or(&[][..], |(at, _)| &events[at + 1..]);
    let is_usage = |event: &ProviderEvent| matches!(event, ProviderEvent::Usage(_) | ProviderEvent::InputUsage(_));
    assert!(after.iter().all(is_usage), "something follows the reason: {events:?}");
}

/// The log of a response that got these events and nothing else. What is nested too deeply is no fact: the run refuses it.
fn facts(request: ProviderRequest, events: Vec<ProviderEvent>) -> Vec<Fact> {
    let attempt = Attempt::FIRST;
    let opening = Fact::AttemptOpening { attempt, at: AT, provider: "p".to_owned(), model: "m".to_owned() };
    let events = events.into_iter().filter(|event| !event.is_too_deep());
    let events = events.map(|event| Fact::Provider { attempt, event });
    [fold::accepted((*request.request).clone()), opening]
        .into_iter()
        .chain(events)
        .chain([Fact::Ended { at: AT }])
        .collect()
}

/// A request that wants everything that an answer can hold.
fn asking() -> ProviderRequest {
    let tool = FunctionTool { name: "weather".to_owned(), description: None, parameters: None, strict: None };
    let request = Request {
        tools: vec![Tool::Function(tool)],
        top_logprobs: 1,
        include: vec![Request::INCLUDE_LOGPROBS.to_owned(), Request::INCLUDE_ENCRYPTED_REASONING.to_owned()],
        ..Request::new("m", 100)
    };
    ProviderRequest::new(Target::new("p", "m"), request, Prompt::default())
}
