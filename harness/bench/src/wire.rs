//! What goes over the sockets: requests, and a provider's answers, which are Chat Completions in chunks.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::ensure;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest request that is read.
const MOST_OF_A_REQUEST: usize = 64 * 1024;

/// The head of an answer after which the connection can be used again.
pub(crate) const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
/// The head of an answer that is the last of its connection.
pub(crate) const LAST_ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";

/// Where a request goes, and what it is.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) address: SocketAddr,
    /// All of it, with its head.
    pub(crate) bytes: Arc<[u8]>,
}

impl Request {
    /// The only one of its connection.
    pub(crate) fn post(address: SocketAddr, path: &str, key: &str, body: &str) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self { address, bytes: (head + body).into_bytes().into() }
    }

    /// The only one of its connection, with no body.
    pub(crate) fn get(address: SocketAddr, path: &str, key: &str) -> Self {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        );
        Self { address, bytes: head.into_bytes().into() }
    }

    /// What a provider is asked.
    pub(crate) fn chat(address: SocketAddr, prompt: &str) -> Self {
        let body = json!({ "model": "bench", "messages": [{ "role": "user", "content": prompt }], "stream": true });
        Self::post(address, "/v1/chat/completions", "none", &body.to_string())
    }
}

/// The next request of a connection, as text; none if the other side has closed it.
pub(crate) async fn read_request(socket: &mut TcpStream) -> anyhow::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        if socket.read_buf(&mut bytes).await? == 0 {
            ensure!(bytes.is_empty(), "half a request");
            return Ok(None);
        }
        ensure!(bytes.len() < MOST_OF_A_REQUEST, "a request that is too long");
        let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if bytes.len() >= head + 4 + length.unwrap_or(0) {
            return Ok(Some(String::from_utf8(bytes)?));
        }
    }
}

/// A piece of text, which must need no escapes, as popular servers send it.
pub(crate) fn delta(text: &str) -> Vec<u8> {
    chunk(&format!(r#"{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}"#))
}

/// So many bytes of words, which need no escapes.
pub(crate) fn words(bytes: usize) -> String {
    " the quick brown fox jumps over the lazy dog and wonders what all of it was good for"
        .chars()
        .cycle()
        .take(bytes)
        .collect()
}

/// All that follows the last piece of text.
pub(crate) fn ending(with_usage: bool) -> Vec<u8> {
    let mut bytes = chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#);
    if with_usage {
        let usage = r#"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}"#;
        bytes.extend(framed(&format!("{usage}\n\n")));
    }
    bytes.extend(framed("data: [DONE]\n\n"));
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn chunk(choice: &str) -> Vec<u8> {
    let object = r#""id":"chatcmpl-A1b2C3d4E5f6","object":"chat.completion.chunk","created":1760000000"#;
    framed(&format!("data: {{{object},\"model\":\"bench\",\"choices\":[{choice}]}}\n\n"))
}

fn framed(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n", body.len()).into_bytes()
}
