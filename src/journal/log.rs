//! Reading a response's log.

use std::sync::Arc;

use super::{CodecError, decode};
use crate::domain::{Fact, RecordedEnding, Transcript};
use crate::protocol::ResponseId;
use crate::store::{self, ResponseRow, ResponseStore, Segment};
use crate::vault::{self, CiphertextContext, ResponseKey};

/// How many segments are read at a time: the most that an emitter that fell behind holds in memory.
pub const SEGMENTS_A_PAGE: usize = 16;

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database could not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A segment can't be decrypted.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// A segment can't be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Segments are missing.
    #[error("the log has a gap")]
    Gap,
    /// The response was deleted while it was read, and its log with it.
    #[error("the response was deleted")]
    Deleted,
}

/// The committed log of one response.
#[derive(Debug, Clone)]
pub struct Log {
    responses: Arc<dyn ResponseStore>,
    key: ResponseKey,
    id: ResponseId,
    recorded_ending: Option<RecordedEnding>,
}

impl Log {
    /// The log of that response.
    #[must_use]
    pub fn new(responses: Arc<dyn ResponseStore>, key: ResponseKey, id: ResponseId) -> Self {
        Self { responses, key, id, recorded_ending: None }
    }

    /// The log of a response that may have ended: where the log does not say how, the row does.
    #[must_use]
    pub fn of_row(responses: Arc<dyn ResponseStore>, key: ResponseKey, row: &ResponseRow) -> Self {
        Self { recorded_ending: row.recorded_ending(), ..Self::new(responses, key, row.id) }
    }

    /// How the response ended, if it had when its row was read.
    #[must_use]
    pub fn recorded_ending(&self) -> Option<&RecordedEnding> {
        self.recorded_ending.as_ref()
    }

    /// The key that opens it.
    #[must_use]
    pub fn key(&self) -> &ResponseKey {
        &self.key
    }

    /// The next facts from number `from` on, those of at most [`SEGMENTS_A_PAGE`] segments; empty at the log's end.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn page(&self, from: u64) -> Result<Vec<Fact>, LogError> {
        let segments = self.segments(from).await?;
        if segments.is_empty() && self.recorded_ending.is_some() {
            self.check_not_deleted().await?;
        }
        let numbered = segments.into_iter().flat_map(|(first, facts)| (first..).zip(facts));
        Ok(numbered.filter(|(number, _)| *number >= from).map(|(_, fact)| fact).collect())
    }

    /// Folds all of it. Also gives the number of the first fact of its last segment, which the next segment
    /// must name.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn fold(&self) -> Result<(Transcript, u64), LogError> {
        let mut transcript = Transcript::new(self.id);
        let last = self.fold_rest(&mut transcript).await?;
        Ok((transcript, last.unwrap_or_default()))
    }

    /// Folds what follows the facts of a transcript of this log. Gives the number of the first fact of its last
    /// segment; none if nothing follows.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn fold_rest(&self, transcript: &mut Transcript) -> Result<Option<u64>, LogError> {
        let mut last = None;
        let mut events = Vec::new();
        loop {
            let segments = self.segments(transcript.facts()).await?;
            if segments.is_empty() {
                if let Some(recorded) = self.recorded_ending.clone().filter(|_| transcript.ended().is_none()) {
                    self.check_not_deleted().await?;
                    transcript.end_as(recorded, &mut events);
                }
                return Ok(last);
            }
            for (first, facts) in segments {
                if first != transcript.facts() {
                    return Err(LogError::Gap);
                }
                last = Some(first);
                for fact in facts {
                    transcript.apply(fact, &mut events);
                    events.clear();
                }
            }
        }
    }

    /// A log that is deleted while it is read breaks off anywhere. It must not seem to end there as its row said.
    async fn check_not_deleted(&self) -> Result<(), LogError> {
        match self.responses.response(self.id).await? {
            Some(_) => Ok(()),
            None => Err(LogError::Deleted),
        }
    }

    async fn segments(&self, from: u64) -> Result<Vec<(u64, Vec<Fact>)>, LogError> {
        let segments = self.responses.segments(self.id, from, SEGMENTS_A_PAGE as u32).await?;
        let mut next = segments.first().map_or(from, |segment| segment.first.min(from));
        segments
            .iter()
            .map(|segment| {
                let facts = self.open(segment)?;
                let whole = segment.first == next && facts.len() as u64 == u64::from(segment.count);
                next = segment.end();
                if whole { Ok((segment.first, facts)) } else { Err(LogError::Gap) }
            })
            .collect()
    }

    fn open(&self, segment: &Segment) -> Result<Vec<Fact>, LogError> {
        let plain = self.key.open(CiphertextContext::Segment { first: segment.first }, &segment.bytes)?;
        Ok(decode(&plain)?)
    }
}

#[cfg(test)]
mod tests;
