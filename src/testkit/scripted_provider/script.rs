//! The script of one answer, step by step.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::ScriptGate;

/// The steps of one answer. A script that does not begin with a status answers 200 with an event stream; one that
/// does not say how it ends ends cleanly.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub(super) steps: Vec<ScriptStep>,
    pub(super) bytewise: bool,
}

#[derive(Debug, Clone)]
pub(super) enum ScriptStep {
    /// A whole answer that is not streamed.
    Document { status: u16, headers: Vec<(String, String)>, body: String },
    /// Headers of a streamed answer.
    Head { status: u16, headers: Vec<(String, String)> },
    /// A chunk of the streamed body.
    Chunk(Bytes),
    /// Bytes on the socket, in place of HTTP.
    Socket(Bytes),
    /// Wait for the test.
    Pause(ScriptGate),
    /// Wait this long.
    Rest(Duration),
    /// Send nothing more and keep the connection.
    Stall,
    /// The end of the connection without the end of the body.
    Cut,
    /// A TCP reset.
    Reset,
}

impl Script {
    /// An empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole successful answer in these pieces, with usage and end mark.
    #[must_use]
    pub fn answer<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Self {
        pieces.into_iter().fold(Self::new(), Self::text).finish("stop").usage(10, 5).done()
    }

    /// A whole answer of that status that is not streamed.
    #[must_use]
    pub fn status(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        Self::new().step(ScriptStep::Document { status, headers: owned(headers), body: body.to_owned() })
    }

    /// A refusal of a request, in OpenAI's form.
    pub(super) fn refusal_document(why: &str) -> Self {
        let error = json!({ "message": why, "type": "invalid_request_error", "param": null, "code": null });
        Self::status(400, &[("content-type", "application/json")], &json!({ "error": error }).to_string())
    }

    /// A success that is a web page.
    #[must_use]
    pub fn html_page() -> Self {
        Self::status(200, &[("content-type", "text/html")], "<!doctype html><title>Welcome to nginx!</title>")
    }

    /// Status and headers of a streamed answer, in place of the usual ones.
    #[must_use]
    pub fn headers(self, status: u16, headers: &[(&str, &str)]) -> Self {
        self.step(ScriptStep::Head { status, headers: owned(headers) })
    }

    /// A piece of text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.delta(json!({ "content": text }))
    }

    /// A piece of reasoning.
    #[must_use]
    pub fn reasoning(self, text: &str) -> Self {
        self.delta(json!({ "reasoning_content": text }))
    }

    /// A piece of a refusal.
    #[must_use]
    pub fn refusal(self, text: &str) -> Self {
        self.delta(json!({ "refusal": text }))
    }

    /// Any delta.
    #[must_use]
    pub fn delta(self, delta: Value) -> Self {
        self.chunk(json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }], "usage": null }))
    }

    /// The finish reason.
    #[must_use]
    pub fn finish(self, reason: &str) -> Self {
        self.chunk(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }], "usage": null }))
    }

    /// The usage, in a chunk of its own.
    #[must_use]
    pub fn usage(self, prompt: u64, completion: u64) -> Self {
        let total = prompt.saturating_add(completion);
        let usage = json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total });
        self.chunk(json!({ "choices": [], "usage": usage }))
    }

    /// Any chunk, with the fields that all chunks have.
    #[must_use]
    pub fn chunk(self, mut chunk: Value) -> Self {
        if let Some(fields) = chunk.as_object_mut() {
            fields.insert("id".to_owned(), json!("chatcmpl-1"));
            fields.insert("object".to_owned(), json!("chat.completion.chunk"));
        }
        self.raw(format!("data: {chunk}\n\n"))
    }

    /// The end mark.
    #[must_use]
    pub fn done(self) -> Self {
        self.raw("data: [DONE]\n\n")
    }

    /// An error in mid-stream.
    #[must_use]
    pub fn error_event(self) -> Self {
        self.raw("data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\",\"code\":null,\"param\":null}}\n\n")
    }

    /// Any bytes of the body.
    #[must_use]
    pub fn raw(self, bytes: impl Into<Bytes>) -> Self {
        self.step(ScriptStep::Chunk(bytes.into()))
    }

    /// Any bytes on the socket, in place of HTTP.
    #[must_use]
    pub fn socket(self, bytes: impl Into<Bytes>) -> Self {
        self.step(ScriptStep::Socket(bytes.into()))
    }

    /// Waits at the gate until the test opens it.
    #[must_use]
    pub fn pause_until(self, gate: &ScriptGate) -> Self {
        self.step(ScriptStep::Pause(gate.clone()))
    }

    /// Waits this long before what follows, as a model does between words.
    #[must_use]
    pub fn rest(self, pause: Duration) -> Self {
        self.step(ScriptStep::Rest(pause))
    }

    /// Sends nothing more and keeps the connection.
    #[must_use]
    pub fn stall(self) -> Self {
        self.step(ScriptStep::Stall)
    }

    /// Closes the connection in the middle of the body.
    #[must_use]
    pub fn cut(self) -> Self {
        self.step(ScriptStep::Cut)
    }

    /// Resets the connection.
    #[must_use]
    pub fn reset(self) -> Self {
        self.step(ScriptStep::Reset)
    }

    /// Sends the body byte by byte, each in a chunk of its own.
    #[must_use]
    pub fn bytewise(mut self) -> Self {
        self.bytewise = true;
        self
    }

    fn step(mut self, step: ScriptStep) -> Self {
        self.steps.push(step);
        self
    }
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
