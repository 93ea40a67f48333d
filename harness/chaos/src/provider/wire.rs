//! What goes over the provider's sockets: Chat Completions, in chunks.

use std::io;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) body: Value,
}

pub(super) const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

impl Request {
    /// The next one of a connection; none if the other side has closed it.
    pub(super) async fn read(socket: &mut OwnedReadHalf) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        loop {
            if socket.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
            let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let (head, body) = bytes.split_at(head + 4);
            let head = String::from_utf8_lossy(head);
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                return Ok(Some(Self { path, body: serde_json::from_slice(body).unwrap_or_default() }));
            }
        }
    }

    /// The number that the last message says: `visit-7.` has 7.
    pub(super) fn number(&self) -> Option<u32> {
        let last = self.body["messages"].as_array()?.last()?["content"].to_string();
        let (_, after) = last.rsplit_once("visit-")?;
        after.split('.').next()?.parse().ok()
    }

    /// The model's name.
    pub(super) fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }
}

pub(super) fn piece(text: &str) -> Vec<u8> {
    chunk(&json!([{ "index": 0, "delta": { "content": text }, "finish_reason": null }]))
}

/// All that follows the last piece of text.
pub(super) fn ending(reason: &str, usage: Option<(u64, u64)>) -> Vec<u8> {
    let mut bytes = chunk(&json!([{ "index": 0, "delta": {}, "finish_reason": reason }]));
    if let Some((prompt, answer)) = usage {
        let usage = json!({ "prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer });
        bytes.extend(framed(&format!("data: {}\n\n", json!({ "choices": [], "usage": usage }))));
    }
    bytes.extend(framed("data: [DONE]\n\n"));
    bytes.extend(b"0\r\n\r\n");
    bytes
}

/// A reason to finish, and an error behind it.
pub(super) fn error_after(reason: &str) -> Vec<u8> {
    let mut bytes = chunk(&json!([{ "index": 0, "delta": {}, "finish_reason": reason }]));
    bytes.extend(framed("data: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\"}}\n\n"));
    bytes.extend(b"0\r\n\r\n");
    bytes
}

/// An answer that is no stream.
pub(super) fn answer(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into()
}

fn chunk(choices: &Value) -> Vec<u8> {
    let chunk = json!({
        "id": "chatcmpl-chaos", "object": "chat.completion.chunk", "created": 1, "model": "chaos", "choices": choices,
    });
    framed(&format!("data: {chunk}\n\n"))
}

fn framed(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n", body.len()).into_bytes()
}
