//! Reading a response's log.

use std::sync::Arc;

use super::{LogError, LogPool, decode};
use crate::domain::{Fact, RecordedEnding, Transcript};
use crate::protocol::ResponseId;
use crate::store::{ResponseRow, ResponseStore, Segment};
use crate::vault::{CiphertextContext, ResponseKey};

/// How many segments are read at a time at most.
pub const SEGMENTS_A_PAGE: usize = 16;

/// About how many bytes of facts a slice has. Whoever reads slices holds no more of a log in memory.
const SLICE: usize = 16 * 1024;

/// The next facts of a log, no more than can be held for a reader that may stand still.
#[derive(Debug)]
pub struct LogSlice {
    /// The facts; none at the log's end.
    pub facts: Vec<Fact>,
    /// How many segments to look for next, by how large these were.
    pub next_segments: usize,
}

/// The committed log of one response.
#[derive(Debug, Clone)]
pub struct Log {
    reader: EncryptedLog,
    threads: LogThreads,
}

/// Where a log is read.
#[derive(Debug, Clone)]
enum LogThreads {
    /// Where it is asked for.
    Own,
    /// By the pool, as a read of the response's user.
    User(LogPool),
    /// By the pool, for the node itself.
    Node(LogPool),
}

#[derive(Debug, Clone)]
struct EncryptedLog {
    responses: Arc<dyn ResponseStore>,
    key: ResponseKey,
    id: ResponseId,
    recorded_ending: Option<RecordedEnding>,
}

impl Log {
    /// The log of that response. It is read where that is asked for.
    #[must_use]
    pub fn new(responses: Arc<dyn ResponseStore>, key: ResponseKey, id: ResponseId) -> Self {
        let reader = EncryptedLog { responses, key, id, recorded_ending: None };
        Self { reader, threads: LogThreads::Own }
    }

    /// The same log, read by the pool within the share of the response's user.
    #[must_use]
    pub fn for_user(self, pool: &LogPool) -> Self {
        Self { threads: LogThreads::User(pool.clone()), ..self }
    }

    /// The same log, read by the pool for the node itself.
    #[must_use]
    pub fn for_node(self, pool: &LogPool) -> Self {
        Self { threads: LogThreads::Node(pool.clone()), ..self }
    }

    /// The same log; where it does not say how the response ended, the row does.
    #[must_use]
    pub fn of_row(mut self, row: &ResponseRow) -> Self {
        self.reader.recorded_ending = row.recorded_ending();
        self
    }

    /// How the response ended, if it had when its row was read.
    #[must_use]
    pub fn recorded_ending(&self) -> Option<&RecordedEnding> {
        self.reader.recorded_ending.as_ref()
    }

    /// Whose log it is.
    #[must_use]
    pub fn id(&self) -> ResponseId {
        self.reader.id
    }

    /// The key that opens it.
    #[must_use]
    pub fn key(&self) -> &ResponseKey {
        &self.reader.key
    }

    /// The next facts from number `from` on, those of at most [`SEGMENTS_A_PAGE`] segments; empty at the log's end.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn page(&self, from: u64) -> Result<Vec<Fact>, LogError> {
        let reader = self.reader.clone();
        let page = async move { reader.page(from).await };
        match &self.threads {
            LogThreads::Own => page.await,
            // Who reads page after page waits for each: there is nothing to refuse.
            LogThreads::User(pool) => pool.read(self.key().user(), false, page).await,
            LogThreads::Node(pool) => pool.run(page).await,
        }
    }

    /// The next facts from number `from` on, a few ten kilobytes of them, out of at most `segments` segments.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn slice(&self, from: u64, segments: usize) -> Result<LogSlice, LogError> {
        let reader = self.reader.clone();
        let slice = async move { reader.slice(from, segments).await };
        match &self.threads {
            LogThreads::Own => slice.await,
            LogThreads::User(pool) => pool.read(self.key().user(), false, slice).await,
            LogThreads::Node(pool) => pool.run(slice).await,
        }
    }

    /// Folds all of it. Also gives the number of the first fact of its last segment, which the next segment
    /// must name.
    ///
    /// # Errors
    /// If the log can't be read; [`LogError::Busy`] if too many reads of its user wait.
    pub async fn fold(&self) -> Result<(Transcript, u64), LogError> {
        let (transcript, last) = self.fold_rest(Transcript::new(self.reader.id)).await?;
        Ok((transcript, last.unwrap_or_default()))
    }

    /// Folds what follows the facts of a transcript of this log. Also gives the number of the first fact of its last
    /// segment; none if nothing follows.
    ///
    /// # Errors
    /// As [`fold`](Self::fold).
    pub async fn fold_rest(&self, transcript: Transcript) -> Result<(Transcript, Option<u64>), LogError> {
        let (reader, from_beginning) = (self.reader.clone(), transcript.facts() == 0);
        let fold = async move { reader.fold(transcript).await };
        match &self.threads {
            LogThreads::Own => fold.await,
            LogThreads::User(pool) | LogThreads::Node(pool) => {
                if from_beginning {
                    pool.count_fold();
                }
                match &self.threads {
                    LogThreads::User(_) => pool.read(self.key().user(), true, fold).await,
                    LogThreads::Own | LogThreads::Node(_) => pool.run(fold).await,
                }
            }
        }
    }
}

impl EncryptedLog {
    async fn page(&self, from: u64) -> Result<Vec<Fact>, LogError> {
        let segments = self.segments(from).await?;
        if segments.is_empty() && self.recorded_ending.is_some() {
            self.check_not_deleted().await?;
        }
        let numbered = segments.into_iter().flat_map(|(first, facts)| (first..).zip(facts));
        Ok(numbered.filter(|(number, _)| *number >= from).map(|(_, fact)| fact).collect())
    }

    async fn slice(&self, from: u64, segments: usize) -> Result<LogSlice, LogError> {
        let stored = self.responses.segments(self.id, from, segments as u32).await?;
        if stored.is_empty() && self.recorded_ending.is_some() {
            self.check_not_deleted().await?;
        }
        let (mut facts, mut bytes) = (Vec::new(), 0);
        for segment in self.opened(from, &stored) {
            let (first, size, opened) = segment?;
            let each = size / opened.len().max(1);
            // One fact at least, or the log would seem to end here.
            let room = (SLICE - bytes).div_ceil(each.max(1));
            let wanted = (first..).zip(opened).filter(|(number, _)| *number >= from).take(room);
            let before = facts.len();
            facts.extend(wanted.map(|(_, fact)| fact));
            bytes += each * (facts.len() - before);
            if bytes >= SLICE {
                break;
            }
        }
        let next_segments = if bytes >= SLICE { (segments / 2).max(1) } else { (segments * 2).min(SEGMENTS_A_PAGE) };
        Ok(LogSlice { facts, next_segments })
    }

    async fn fold(&self, mut transcript: Transcript) -> Result<(Transcript, Option<u64>), LogError> {
        let mut last = None;
        let mut events = Vec::new();
        // Whether there was more when it was read last: every log has a first fact.
        let mut goes_on = transcript.facts() == 0;
        loop {
            let segments = self.segments(transcript.facts()).await?;
            if segments.is_empty() {
                let recorded = self.recorded_ending.clone().filter(|_| transcript.ended().is_none());
                if goes_on || recorded.is_some() {
                    self.check_not_deleted().await?;
                }
                if transcript.facts() == 0 {
                    return Err(LogError::Gap);
                }
                if let Some(recorded) = recorded {
                    if !recorded.may_stand_alone() {
                        return Err(LogError::Gap);
                    }
                    transcript.end_as(recorded, &mut events);
                }
                return Ok((transcript, last));
            }
            goes_on = segments.len() == SEGMENTS_A_PAGE;
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
        self.opened(from, &segments).map(|opened| opened.map(|(first, _, facts)| (first, facts))).collect()
    }

    /// The segments one after the other, each with the number of its first fact and its size.
    fn opened(
        &self,
        from: u64,
        segments: &[Segment],
    ) -> impl Iterator<Item = Result<(u64, usize, Vec<Fact>), LogError>> {
        let mut next = segments.first().map_or(from, |segment| segment.first.min(from));
        segments.iter().map(move |segment| {
            let facts = self.open(segment)?;
            let whole = segment.first == next && facts.len() as u64 == u64::from(segment.count);
            next = segment.end();
            if whole { Ok((segment.first, segment.bytes.len(), facts)) } else { Err(LogError::Gap) }
        })
    }

    fn open(&self, segment: &Segment) -> Result<Vec<Fact>, LogError> {
        let plain = self.key.open(CiphertextContext::Segment { first: segment.first }, &segment.bytes)?;
        Ok(decode(&plain)?)
    }
}

#[cfg(test)]
mod tests;
