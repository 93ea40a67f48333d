//! What it takes to read a delta of a provider's stream, from the socket to the event of the port, in each protocol.
//!
//! A thread of this program sends streams of many equal deltas; another one reads them by the adapters that the
//! server has. The fastest of the rounds counts: what else runs on the machine only adds.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use antiphon::domain::{Prompt, Request, Target};
use antiphon::protocol::{FunctionTool, Tool};
use antiphon::provider::{Anthropic, ChatCompletions, Provider, ProviderRequest, Responses, UpstreamOptions};
use anyhow::Context as _;
use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Results;

/// How many deltas a stream has.
const DELTAS: usize = 20_000;

/// How often each stream is read.
const ROUNDS: usize = 15;

/// A kind of delta of a protocol, and what it took.
#[derive(Debug, Serialize)]
struct DecodeRow {
    protocol: &'static str,
    delta: &'static str,
    /// The bytes of one delta, with its lines.
    bytes: usize,
    nanoseconds: u128,
}

/// A stream: what comes before its deltas, one of them, and what comes behind them.
struct DecodeStream {
    protocol: &'static str,
    delta: &'static str,
    before: String,
    each: String,
    after: String,
}

/// Measures all streams.
///
/// # Errors
/// If a stream can't be sent or is not read to its end.
pub(crate) async fn run() -> anyhow::Result<Results> {
    let mut rows = Vec::new();
    for stream in streams() {
        rows.push(measure(&stream).await?);
    }
    let mut table = "| protocol | delta | bytes | ns |\n|---|---|--:|--:|\n".to_owned();
    for DecodeRow { protocol, delta, bytes, nanoseconds } in &rows {
        writeln!(table, "| {protocol} | {delta} | {bytes} | {nanoseconds} |")?;
    }
    Ok(Results { table, json: serde_json::to_string_pretty(&rows)? })
}

async fn measure(stream: &DecodeStream) -> anyhow::Result<DecodeRow> {
    let address = send(stream)?;
    let options = UpstreamOptions::new(format!("http://{address}"));
    let provider: Box<dyn Provider> = match stream.protocol {
        "chat_completions" => Box::new(ChatCompletions::new(options)?),
        "responses" => Box::new(Responses::new(options)?),
        _ => Box::new(Anthropic::new(options)?),
    };
    let mut fastest = u128::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut batches = provider.open(asking());
        let mut events = 0;
        while let Some(batch) = batches.next().await {
            events += batch?.len();
        }
        anyhow::ensure!(events >= DELTAS, "only {events} events of {DELTAS}");
        fastest = fastest.min(begun.elapsed().as_nanos() / DELTAS as u128);
    }
    let DecodeStream { protocol, delta, each, .. } = stream;
    Ok(DecodeRow { protocol, delta, bytes: each.len(), nanoseconds: fastest })
}

fn asking() -> ProviderRequest {
    let tool = FunctionTool { name: "weather".to_owned(), description: None, parameters: None, strict: None };
    let request = Request { tools: vec![Tool::Function(tool)], ..Request::new("m", 100_000) };
    ProviderRequest::new(Target::new("p", "m"), request, Prompt::default())
}

/// Answers every request on a new port with that stream, from a thread of its own.
fn send(stream: &DecodeStream) -> anyhow::Result<SocketAddr> {
    let body = format!("{}{}{}", stream.before, stream.each.repeat(DELTAS), stream.after);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";
    let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind("127.0.0.1:0").context("no port for the stream")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            // A reader that is gone is an error of its own there.
            let _sent = reply(socket, &answer);
        }
    });
    Ok(address)
}

fn reply(mut socket: TcpStream, answer: &str) -> std::io::Result<()> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = socket.read(&mut buffer)?;
        read.extend_from_slice(&buffer[..count]);
    }
    socket.write_all(answer.as_bytes())
}

fn streams() -> Vec<DecodeStream> {
    let chat = [
        ("text", json!({ "content": " harbour" })),
        ("reasoning", json!({ "content": null, "reasoning_content": " harbour" })),
        ("arguments", json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "harbour " } }] })),
    ];
    let anthropic = [
        ("text", json!({ "type": "text", "text": "" }), json!({ "type": "text_delta", "text": " harbour" })),
        (
            "reasoning",
            json!({ "type": "thinking", "thinking": "", "signature": "" }),
            json!({ "type": "thinking_delta", "thinking": " harbour" }),
        ),
        (
            "arguments",
            json!({ "type": "tool_use", "id": "toolu_1", "name": "weather", "input": {} }),
            json!({ "type": "input_json_delta", "partial_json": "harbour " }),
        ),
    ];
    let responses = [
        ("text", json!({ "type": "message", "id": "i", "role": "assistant", "content": [] }), "output_text"),
        ("reasoning", json!({ "type": "reasoning", "id": "i", "summary": [] }), "reasoning_text"),
        (
            "arguments",
            json!({ "type": "function_call", "id": "i", "call_id": "c", "name": "weather", "arguments": "" }),
            "function_call_arguments",
        ),
    ];
    let chat = chat.map(|(name, delta)| of_chat(name, &delta));
    let anthropic = anthropic.map(|(name, block, delta)| of_anthropic(name, &block, &delta));
    let responses = responses.map(|(name, item, kind)| of_responses(name, &item, kind));
    chat.into_iter().chain(anthropic).chain(responses).collect()
}

fn of_chat(delta: &'static str, piece: &Value) -> DecodeStream {
    let chunk = |piece: &Value, reason: Value| {
        let data = json!({
            "id": "chatcmpl-CabcdefGhijKlmnOpqrStuvWxyz12", "object": "chat.completion.chunk", "created": 1_796_038_932,
            "model": "gpt-4o-mini-2024-07-18", "system_fingerprint": "fp_0123456789",
            "choices": [{ "index": 0, "delta": piece, "finish_reason": reason }],
        });
        format!("data: {data}\n\n")
    };
    let call =
        json!({ "tool_calls": [{ "index": 0, "id": "call_1", "function": { "name": "weather", "arguments": "{" } }] });
    let before = if delta == "arguments" { chunk(&call, Value::Null) } else { String::new() };
    let after = format!("{}data: [DONE]\n\n", chunk(&json!({}), json!("stop")));
    DecodeStream { protocol: "chat_completions", delta, before, each: chunk(piece, Value::Null), after }
}

fn of_anthropic(delta: &'static str, block: &Value, piece: &Value) -> DecodeStream {
    let before = [
        json!({ "type": "message_start", "message": { "id": "msg_1", "usage": { "input_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
    ];
    let after = [
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "max_tokens" }, "usage": { "output_tokens": 1 } }),
        json!({ "type": "message_stop" }),
    ];
    let each = named(&json!({ "type": "content_block_delta", "index": 0, "delta": piece }));
    let (before, after) = (before.iter().map(named).collect(), after.iter().map(named).collect());
    DecodeStream { protocol: "anthropic", delta, before, each, after }
}

fn of_responses(delta: &'static str, item: &Value, kind: &str) -> DecodeStream {
    let before = [
        json!({ "type": "response.created", "response": { "id": "resp_1", "status": "in_progress" } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item }),
    ];
    let details = json!({ "reason": "max_output_tokens" });
    let response = json!({ "id": "resp_1", "status": "incomplete", "incomplete_details": details, "output": [] });
    let after = named(&json!({ "type": "response.incomplete", "response": response }));
    let each = named(&json!({
        "type": format!("response.{kind}.delta"), "sequence_number": 4_321, "output_index": 0, "content_index": 0,
        "item_id": "msg_0123456789abcdef0123456789abcdef", "delta": " harbour", "logprobs": [],
    }));
    DecodeStream { protocol: "responses", delta, before: before.iter().map(named).collect(), each, after }
}

/// An event with its `event:` line.
fn named(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}
