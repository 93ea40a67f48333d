//! Reading a stream: every event is noted, and whether the stream is as a stream must be.

use tokio::sync::watch;

use super::frames::Next;
use super::{Frame, Frames, Lost, Story};
use crate::plan::Visit;
use crate::witness::Deletion;

/// A client's way through the events of a response, over any number of connections.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) story: &'a Story,
    pub(super) visit: &'a Visit,
    /// The response's id, once it was told.
    pub(super) id: Option<String>,
    /// The number of the next event.
    pub(super) next: u64,
    /// Whether the terminal event was seen on this way.
    pub(super) ended: bool,
    /// Who else wants to know the id.
    pub(super) tell: Option<watch::Sender<Option<String>>>,
}

/// How a connection was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// All was read.
    Ended,
    /// By the client.
    Early,
    /// By the server or by what was done to it.
    Broken,
}

impl Reader<'_> {
    /// Reads on, at most so many events.
    pub(super) async fn read(&mut self, mut frames: Frames, most: Option<u64>) -> Left {
        let mut left = most;
        loop {
            if left == Some(0) && !self.ended {
                return Left::Early;
            }
            match frames.next().await {
                Ok(Next::Frame(frame)) if frame.kind() == "error" => {
                    self.error(&frame);
                    return Left::Broken;
                }
                Ok(Next::Frame(frame)) => self.take(&frame),
                Ok(Next::Done) if self.knows_end() => return Left::Ended,
                Ok(Next::Done | Next::End) => {
                    self.violation("a_stream_without_its_end", &format_args!("before number {}", self.next));
                    return Left::Broken;
                }
                Err(Lost::Connection) => return Left::Broken,
                Err(Lost::Silent) => {
                    self.violation("silence", &"a stream said nothing for a long time");
                    return Left::Broken;
                }
                Err(Lost::Nonsense(error)) => {
                    self.violation("nonsense", &format_args!("{error:#}"));
                    return Left::Broken;
                }
            }
            left = left.map(|left| left - 1);
        }
    }

    /// The id is known.
    pub(super) fn learn(&mut self, id: &str) {
        self.story.witness.accepted(id, self.visit.number);
        match &self.id {
            Some(known) if known == id => {}
            Some(known) => {
                let what = format_args!("told as {id}, too");
                self.story.witness.violation("two_ids", known, &what);
            }
            None => self.id = Some(id.to_owned()),
        }
        if let Some(tell) = &self.tell {
            tell.send_replace(Some(id.to_owned()));
        }
    }

    fn take(&mut self, frame: &Frame) {
        if self.ended {
            return self.violation("an_event_after_the_end", &frame.text);
        }
        if frame.sequence_number != self.next {
            let what = format_args!("number {} in place of {}", frame.sequence_number, self.next);
            self.violation("a_stream_skips", &what);
        }
        if let Some(id) = frame.data["response"]["id"].as_str() {
            self.learn(id);
        }
        self.next = frame.sequence_number + 1;
        if let Some(id) = &self.id {
            self.story.witness.frame(id, frame);
        }
        self.ended = frame.terminal().is_some();
    }

    /// Whether the terminal event was seen, now or on another connection after which this one began.
    fn knows_end(&self) -> bool {
        let frames = |id: &String| self.story.witness.before(id).ended && self.story.witness.frames(id) <= self.next;
        self.ended || self.id.as_ref().is_some_and(frames)
    }

    /// The connection ends with an error that is no part of the response.
    fn error(&self, frame: &Frame) {
        let code = frame.data["code"].as_str().unwrap_or("none");
        self.story.tally.count(&format!("error_events.{code}"));
        let gone = self.id.as_ref().is_some_and(|id| self.story.witness.before(id).deletion >= Deletion::Asked);
        let gone = gone || self.story.is_leaving(self.visit);
        if (code == "server_error" && !self.story.witness.may_hang()) || (code == "none" && !gone) {
            self.violation("an_error_event", &frame.text);
        }
    }

    fn violation(&self, kind: &str, what: &dyn std::fmt::Display) {
        let nobody = format!("visit {}", self.visit.number);
        self.story.witness.violation(kind, self.id.as_ref().unwrap_or(&nobody), what);
    }
}
