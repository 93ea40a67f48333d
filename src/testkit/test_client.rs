//! A client of a response, which subscribes again when its stream is lost.

use crate::Antiphon;
use crate::actors::{ClientStream, DeliveryMode, Emission};
use crate::domain::View;
use crate::protocol::{ResponseId, UserId};
use crate::refusal::Refusal;

/// A client that keeps every event it gets.
#[derive(Debug)]
pub struct TestClient {
    antiphon: Antiphon,
    user: UserId,
    /// The response.
    pub id: ResponseId,
    reader: ClientStream,
    /// The events so far, as they arrived.
    pub frames: Vec<String>,
    /// Whether the end was received.
    pub ended: bool,
}

impl TestClient {
    pub(super) fn new(antiphon: Antiphon, user: UserId, id: ResponseId, reader: ClientStream) -> Self {
        Self { antiphon, user, id, reader, frames: Vec::new(), ended: false }
    }

    /// Takes the next event; false if there is none any more.
    ///
    /// # Panics
    /// If the response can't be subscribed to again, or an event is missing or comes twice.
    pub async fn next(&mut self) -> bool {
        let mut frame = Vec::new();
        while !self.ended {
            match self.reader.emissions.recv().await {
                Some(Emission::Part { bytes }) => frame.extend_from_slice(&bytes),
                Some(Emission::Frame { sequence_number, bytes }) => {
                    assert_eq!(sequence_number, self.frames.len() as u64, "no event is missing or comes twice");
                    frame.extend_from_slice(&bytes);
                    self.frames.push(String::from_utf8(frame).expect("events are text"));
                    return true;
                }
                Some(Emission::End) => self.ended = true,
                Some(Emission::Unavailable { .. }) => return false,
                None => {
                    frame.clear();
                    self.subscribe_again().await;
                }
            }
        }
        false
    }

    async fn subscribe_again(&mut self) {
        let mode = DeliveryMode::Events { view: View::default(), from: self.frames.len() as u64 };
        self.reader = loop {
            match self.antiphon.resume(self.user, self.id, mode).await {
                // The recovery takes longer than a client waits, which can happen on a busy machine.
                Err(Refusal::DatabaseUnavailable) => tokio::task::yield_now().await,
                resumed => break resumed.expect("the response is still there"),
            }
        };
    }

    /// Reads until an event contains the text.
    ///
    /// # Panics
    /// If the stream ends before.
    pub async fn read_until(&mut self, text: &str) {
        while !self.frames.last().is_some_and(|frame| frame.contains(text)) {
            assert!(self.next().await, "the stream ended before {text:?}: {:#?}", self.frames);
        }
    }

    /// Reads to the end.
    pub async fn read_all(&mut self) {
        while self.next().await {}
    }

    /// The text of all deltas so far.
    ///
    /// # Panics
    /// If an event is not JSON.
    #[must_use]
    pub fn text(&self) -> String {
        let data = self.frames.iter().filter_map(|frame| frame.split_once("\ndata: "));
        data.map(|(_, json)| serde_json::from_str::<serde_json::Value>(json).expect("events are JSON"))
            .filter(|event| event["type"] == "response.output_text.delta")
            .filter_map(|event| event["delta"].as_str().map(str::to_owned))
            .collect()
    }
}
