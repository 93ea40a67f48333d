#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test that counts some kinds of events")]

use antiphon::testkit::{Script, ScriptedProvider};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::UpstreamLimits;
use crate::http::{Decode, Flow, SseFrame, StreamDecoder};
use crate::raw_json::has_more_values;
use crate::{Anthropic, ChatCompletions, Error, Provider, ProviderEvent, ProviderRequest, Responses, UpstreamOptions};
use antiphon_domain::{LimitOptions, Prompt, Request, Target};
use antiphon_protocol::{
    ContentPart, FunctionCall, FunctionCallOutput, FunctionTool, Item, ItemId, ItemStatus, JsonObject, LogProb,
    Message, ResponseId, Role, Tool,
};

/// The bytes of a text of so many bytes whose characters are all written as escapes.
fn escaped(text: &str, bytes: usize) -> usize {
    let escapes = text.encode_utf16().count() * "\\u0000".len();
    bytes.div_ceil(text.len()) * escapes
}

proptest! {
    #[test]
    fn no_limit_on_the_wire_is_below_the_content_that_it_carries(
        input_bytes in 1_usize..64 << 20,
        id_chars in 64_usize..65_536,
        function_name_chars in 64_usize..8_192,
        output in 1024_usize..64 << 20,
        provider_call_bytes in 1_usize << 20..32 << 20,
        above in prop::option::of(0_usize..1 << 20),
    ) {
        let mut options = LimitOptions { input_bytes, id_chars, function_name_chars, provider_call_bytes, ..LimitOptions::default() };
        let least = UpstreamLimits::of(&options, output);
        options.provider_event_bytes = above.map_or(0, |above| least.with_echoes().frame_bytes + above);
        let limits = UpstreamLimits::of(&options, output);
        prop_assert!(limits.call_bytes >= least.call_bytes);
        for text in ["a", "\u{fc}", "\u{4f60}", "\u{1f980}"] {
            let (all, request) = (escaped(text, output), 2 * escaped(text, input_bytes));
            let echoing = limits.with_echoes();
            for (content, wire, most) in [
                ("an output in one event", all, limits.frame_bytes),
                ("an id", escaped(text, id_chars), limits.frame_bytes),
                ("a call", escaped(text, id_chars) + escaped(text, function_name_chars), limits.frame_bytes),
                ("the last event of Responses", 4 * all + request, echoing.frame_bytes),
                ("an echo of instructions and tools", request, echoing.frame_bytes),
            ] {
                prop_assert!(wire < most, "{content} of {text}: {wire}");
                let call = if most == limits.frame_bytes { limits } else { echoing };
                prop_assert!(most as u64 <= call.call_bytes, "{content} of {text} in a call");
            }
            let events = output / text.len();
            let allowed = events as u64 * UpstreamLimits::of_event(text.len());
            prop_assert!((escaped(text, output) + 1000 * events) as u64 <= limits.call_bytes + allowed, "{text}");
            prop_assert!((4 * all + 3 * request) as u64 <= echoing.call_bytes, "{text}");
        }
        prop_assert!(limits.output_bytes >= output && limits.id_bytes >= id_chars);
    }
}

/// An event of Responses with that many tokens as [`LogProb`]s, and how much output they are.
fn scored(token: &str, tokens: usize, most_likely: usize) -> (String, usize) {
    let bytes = token.as_bytes();
    let top = json!({ "token": token, "logprob": -1.5, "bytes": bytes });
    let entry = json!({ "token": token, "logprob": -1.5, "bytes": bytes, "top_logprobs": vec![top; most_likely] });
    let logprob: LogProb = serde_json::from_value(entry.clone()).unwrap();
    let one = ProviderEvent::Text { text: token.to_owned(), logprobs: vec![logprob] }.output_bytes();
    let part = json!({ "type": "output_text", "text": token.repeat(tokens), "logprobs": vec![entry; tokens] });
    let message = json!({ "type": "message", "id": "m", "role": "assistant", "content": [part] });
    let response = json!({ "id": "resp_1", "status": "completed", "output": [message] });
    (json!({ "type": "response.completed", "response": response }).to_string(), one * tokens)
}

#[test]
fn the_probabilities_of_an_output_are_within_the_values_of_an_event() {
    for (token, tokens, most_likely) in [("x", 3_700, 20), ("\u{1f980}", 900, 20), ("", 9_000, 0), ("", 900, 20)]
        .into_iter()
        .chain([("y".repeat(200).as_str(), 700, 20), ("y".repeat(20_000).as_str(), 5, 20)])
    {
        let (event, output) = scored(token, tokens, most_likely);
        for output in [output, output.max(4 << 20)] {
            let most = UpstreamLimits::of(&LimitOptions::default(), output).event_values;
            assert!(!has_more_values(&event, most), "{tokens} of {} bytes with {most_likely}", token.len());
        }
    }
    let values = |output| UpstreamLimits::of(&LimitOptions::default(), output).event_values;
    assert_eq!((values(1024), values(1 << 20), values(6 << 20)), (262_144, 262_144, 262_144 + (1 << 20)));
}

#[test]
fn limits_on_the_number_of_things_are_those_of_the_options() {
    let options = LimitOptions {
        provider_event_values: 7,
        provider_calls: 2,
        provider_items: 3,
        function_name_chars: 4,
        ..LimitOptions::default()
    };
    let limits = UpstreamLimits::of(&options, 1024);
    assert_eq!((limits.event_values, limits.calls, limits.items, limits.name_bytes), (7, 2, 3, 4));
    assert_eq!(limits.details(), 12);
}

#[test]
fn a_limit_that_is_set_counts() {
    let options = LimitOptions { provider_event_bytes: 7, provider_call_bytes: 9, ..LimitOptions::default() };
    let UpstreamLimits { frame_bytes, call_bytes, .. } = UpstreamLimits::of(&options, 1024).with_echoes();
    assert_eq!((frame_bytes, call_bytes), (7, 9 + 7 + 4 * 6 * (3 * 1024 + 2 * 500_000)));
}

/// A decoder that takes everything for an event that says little.
struct Quiet;

impl Decode for Quiet {
    fn frame(&mut self, _: SseFrame, _: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        Ok(Flow::Open)
    }

    fn finished(&self) -> bool {
        false
    }
}

#[test]
fn long_answers_in_chunks_of_a_common_size_are_within_the_limits_and_noise_is_not() {
    let push = |piece: String, times: usize| {
        let mut decoder = StreamDecoder::new(Box::new(Quiet), UpstreamLimits::default());
        let piece = Bytes::from(piece);
        (0..times).try_for_each(|_| decoder.push(piece.clone(), &mut Vec::new()).map(|_| ()))
    };
    for (chunks, bytes) in [(64_000, 294), (48_000, 412), (100_000, 600)] {
        assert_eq!(push(format!("data: {}\n\n", "x".repeat(bytes - 8)), chunks), Ok(()), "{bytes}");
    }
    let too_many = Err(Error::Protocol { what: "the call holds more bytes than limits.provider_call_bytes allows" });
    assert_eq!(push(": keep\n\n".repeat(10_000), 350), too_many);
    assert_eq!(push(format!("data: {}\n\n", "x".repeat(900_000)), 35), too_many);
}

/// JSON in which every character beyond ASCII is an escape.
fn in_ascii(value: &Value) -> String {
    let escape = |char: char| match char.is_ascii() {
        true => char.to_string(),
        false => char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    value.to_string().chars().map(escape).collect()
}

type MakeProvider = Box<dyn Fn(UpstreamOptions) -> Box<dyn Provider>>;

/// What each provider sends: a call with a long id and long arguments in one piece, then a long text in one piece; the
/// last one echoes a long request and repeats the text.
fn long_answers(id: &str, arguments: &str, text: &str) -> [(MakeProvider, Vec<Value>); 3] {
    let call = json!({ "index": 0, "id": id, "function": { "name": "f", "arguments": arguments } });
    let choice = |delta: Value| json!({ "choices": [{ "index": 0, "delta": delta }] });
    let chat = vec![
        choice(json!({ "tool_calls": [call] })),
        choice(json!({ "content": text })),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
    ];
    let used = json!({ "input_tokens": 1, "output_tokens": 1 });
    let block =
        |index: u32, block: Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let delta = |index: u32, delta: Value| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    let stop = |index: u32| json!({ "type": "content_block_stop", "index": index });
    let anthropic = vec![
        json!({ "type": "message_start", "message": { "id": "msg_1", "usage": used } }),
        block(0, json!({ "type": "tool_use", "id": id, "name": "f", "input": {} })),
        delta(0, json!({ "type": "input_json_delta", "partial_json": arguments })),
        stop(0),
        block(1, json!({ "type": "text", "text": "" })),
        delta(1, json!({ "type": "text_delta", "text": text })),
        stop(1),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": used }),
        json!({ "type": "message_stop" }),
    ];
    let echo = "\u{4f60}".repeat(460_000 / 3);
    let response = |status: &str, output: Value| {
        json!({
            "id": "resp_1", "status": status, "output": output, "instructions": echo, "usage": used,
            "tools": [{ "type": "function", "name": "f", "description": echo }],
        })
    };
    let call = json!({ "type": "function_call", "id": id, "call_id": id, "name": "f", "arguments": arguments });
    let part = json!([{ "type": "output_text", "text": text, "annotations": [] }]);
    let message = json!({ "type": "message", "id": id, "role": "assistant", "status": "completed", "content": part });
    let done =
        |index: u32, item: &Value| json!({ "type": "response.output_item.done", "output_index": index, "item": item });
    let responses = vec![
        json!({ "type": "response.created", "response": response("in_progress", json!([])) }),
        done(0, &call),
        done(1, &message),
        json!({ "type": "response.completed", "response": response("completed", json!([call, message])) }),
    ];
    [
        (Box::new(|options| Box::new(ChatCompletions::new(options).unwrap())), chat),
        (Box::new(|options| Box::new(Anthropic::new(options).unwrap())), anthropic),
        (Box::new(|options| Box::new(Responses::new(options).unwrap())), responses),
    ]
}

#[tokio::test]
async fn long_pieces_and_long_ids_come_through_whole_in_every_protocol() {
    let (id, text) = ("i".repeat(949), "\u{4f60}".repeat(540_000 / 3));
    let arguments = json!({ "x": "\u{4f60}".repeat(400_000 / 3) }).to_string();
    for (number, (provider, events)) in long_answers(&id, &arguments, &text).into_iter().enumerate() {
        let server = ScriptedProvider::start();
        let stream = events.iter().map(|event| format!("data: {}\n\n", in_ascii(event))).collect::<String>();
        server.script("m", Script::new().raw(stream));
        let tool = FunctionTool { name: "f".to_owned(), description: None, parameters: None, strict: None };
        let request = Request { tools: vec![Tool::Function(tool)], ..Request::new("m", 100) };
        let asked = ProviderRequest::new(Target::new("p", "m"), request, Prompt::default());
        let provider = provider(UpstreamOptions::new(server.base_url()));
        let batches: Vec<Vec<ProviderEvent>> = provider.open(asked).try_collect().await.unwrap();
        let (mut heard_text, mut heard_arguments, mut heard_id) = (String::new(), String::new(), String::new());
        for event in batches.into_iter().flatten() {
            match event {
                ProviderEvent::Text { text, .. } => heard_text.push_str(&text),
                ProviderEvent::FunctionCallArguments { text, .. } => heard_arguments.push_str(&text),
                ProviderEvent::FunctionCallStarted { call_id, .. } => heard_id = call_id,
                _ => {}
            }
        }
        assert!((heard_text, heard_arguments, heard_id) == (text.clone(), arguments.clone(), id.clone()), "{number}");
    }
}

/// A question, a call under that id, and its output.
fn conversation(call_id: &str) -> Prompt {
    let id = || ItemId::of_input("x", ResponseId::new(), 0);
    let (status, extra) = (ItemStatus::Completed, JsonObject::new);
    let asked = vec![ContentPart::input_text("Hi.")];
    let items = vec![
        Item::Message(Message { id: id(), role: Role::User, status, content: asked, extra: extra() }),
        Item::FunctionCall(FunctionCall {
            id: id(),
            call_id: call_id.to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            status,
            extra: extra(),
        }),
        Item::FunctionCallOutput(FunctionCallOutput {
            id: id(),
            call_id: call_id.to_owned(),
            output: "done".into(),
            status,
        }),
    ];
    Prompt { instructions: None, items }
}

#[tokio::test]
async fn a_long_id_of_a_call_goes_back_whole_in_every_protocol() {
    let id = "i".repeat(949);
    for (number, (provider, _)) in long_answers("", "", "").into_iter().enumerate() {
        let server = ScriptedProvider::start();
        server.script("m", Script::status(400, &[], "{}"));
        let provider = provider(UpstreamOptions::new(server.base_url()));
        let asked = ProviderRequest::new(Target::new("p", "m"), Request::new("m", 100), conversation(&id));
        assert!(provider.open(asked).try_collect::<Vec<_>>().await.is_err());
        let body = server.requests().first().unwrap().body.to_string();
        assert_eq!(body.matches(&id).count(), 2, "{number}: {body}");
    }
}
