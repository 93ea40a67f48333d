//! The events of a stream, as their bytes come.

use anyhow::{Context as _, bail};
use reqwest::Response;
use serde_json::Value;

use super::Lost;

/// A stream that is being read.
#[derive(Debug)]
pub(crate) struct Frames {
    response: Response,
    unread: Vec<u8>,
}

/// An event.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Its bytes, without the empty line after it.
    pub(crate) text: String,
    pub(crate) sequence_number: u64,
    pub(crate) data: Value,
}

/// What comes in a stream.
#[derive(Debug)]
pub(crate) enum Next {
    /// An event.
    Frame(Frame),
    /// The mark after the last event.
    Done,
    /// The end of the answer, as it should be.
    End,
}

impl Frames {
    pub(crate) fn of(response: Response) -> Self {
        Self { response, unread: Vec::new() }
    }

    /// What comes next. Comments are left out.
    pub(crate) async fn next(&mut self) -> Result<Next, Lost> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|window| window == b"\n\n") {
                let frame: Vec<u8> = self.unread.drain(..end + 2).take(end).collect();
                if frame.starts_with(b":") {
                    continue;
                }
                return read(frame).map_err(Lost::Nonsense);
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.unread.extend_from_slice(&chunk),
                Ok(None) => return Ok(Next::End),
                Err(error) if error.is_timeout() => return Err(Lost::Silent),
                Err(_) => return Err(Lost::Connection),
            }
        }
    }
}

fn read(frame: Vec<u8>) -> anyhow::Result<Next> {
    let text = String::from_utf8(frame).context("no text")?;
    let Some((_, json)) = text.split_once("data: ") else { bail!("an event without data: {text:?}") };
    if json == "[DONE]" {
        return Ok(Next::Done);
    }
    let data: Value = serde_json::from_str(json).with_context(|| format!("no JSON: {text:?}"))?;
    let sequence_number = data["sequence_number"].as_u64().with_context(|| format!("no number: {text:?}"))?;
    Ok(Next::Frame(Frame { text, sequence_number, data }))
}

impl Frame {
    pub(crate) fn kind(&self) -> &str {
        self.data["type"].as_str().unwrap_or_default()
    }

    /// The text that it adds.
    pub(crate) fn delta(&self) -> Option<&str> {
        self.data["delta"].as_str().filter(|_| self.kind() == "response.output_text.delta")
    }

    /// The response as it ended, if this is the event that says so.
    pub(crate) fn terminal(&self) -> Option<&Value> {
        let terminal = matches!(self.kind(), "response.completed" | "response.failed" | "response.incomplete");
        terminal.then(|| &self.data["response"])
    }
}
