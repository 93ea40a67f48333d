//! The handle that submits entries to the journal writer of the node.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::Addr;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    JournalWriter,
    deletions::{Deletions, Joined},
    queue::{Queue, Reply},
    writer::Wake,
};
use crate::fault::{self, FaultPoint};
use crate::protocol::ResponseId;
use crate::store::{CommitOutcome, Conflict, JournalEntry};

/// The result of a submitted entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The entry is durable.
    Committed,
    /// The entry was not written and never will be.
    Conflict(Conflict),
    /// The database refused the entry with an error; submitting it again is safe.
    Failed,
}

impl From<CommitOutcome> for Written {
    fn from(outcome: CommitOutcome) -> Self {
        match outcome {
            CommitOutcome::Committed => Self::Committed,
            CommitOutcome::Conflict(conflict) => Self::Conflict(conflict),
        }
    }
}

/// Submits entries to the node's journal writer. Cheap to clone; outlives every writer.
#[derive(Clone, Default)]
pub struct Journal(Arc<JournalQueue>);

#[derive(Default)]
struct JournalQueue {
    queue: Mutex<Queue>,
    writer: Mutex<Option<Addr<JournalWriter>>>,
    deletions: Arc<Mutex<Deletions>>,
    commits: AtomicU64,
    entries: AtomicU64,
}

/// How much was committed since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalStats {
    /// Transactions.
    pub commits: u64,
    /// Entries in them.
    pub entries: u64,
}

impl Journal {
    /// Submits an entry and calls `reply` with the result. While the database is unavailable entries wait.
    pub fn submit(&self, entry: JournalEntry, reply: impl FnOnce(Written) + Send + 'static) {
        self.0.queue.lock().push(entry, Box::new(reply));
        fault::reach(FaultPoint::EntrySubmitted);
        self.wake();
    }

    /// Submits an entry and waits for the result.
    pub async fn write(&self, entry: JournalEntry) -> Written {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.submit(entry, move |written| {
            // Nobody waits any more if the caller left.
            let _left = sender.send(written);
        });
        // The queue outlives every writer and answers every entry, unless the whole node is gone.
        receiver.await.unwrap_or(Written::Failed)
    }

    /// Deletes a response, once for all who ask for it at that time. None if too many other deletions wait for the database.
    /// One that nobody waits for any more happens all the same.
    pub(crate) async fn delete(&self, id: ResponseId) -> Option<Written> {
        let Joined { mut result, is_first } = self.0.deletions.lock().join(id)?;
        if is_first {
            let deletions = Arc::clone(&self.0.deletions);
            self.submit(JournalEntry::Delete(id), move |written| deletions.lock().finish(id, written));
        }
        // The queue answers every entry, unless the whole node is gone.
        let written = result.wait_for(Option::is_some).await.ok().and_then(|written| *written);
        Some(written.unwrap_or(Written::Failed))
    }

    /// Whether the database did not answer the last commit.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.0.queue.lock().away
    }

    /// Whether nothing was written for that long of what is to be written.
    #[must_use]
    pub fn is_unanswered_for(&self, time: Duration) -> bool {
        self.0.queue.lock().is_unanswered_for(time, Instant::now())
    }

    /// Whether the database had no room for the last commit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.queue.lock().full
    }

    /// How much was committed since the start.
    #[must_use]
    pub fn stats(&self) -> JournalStats {
        JournalStats {
            commits: self.0.commits.load(Ordering::Relaxed),
            entries: self.0.entries.load(Ordering::Relaxed),
        }
    }

    /// Sets the journal writer that commits from now on.
    pub(crate) fn attach(&self, writer: Addr<JournalWriter>) {
        *self.0.writer.lock() = Some(writer);
        self.wake();
    }

    fn wake(&self) {
        if let Some(writer) = &*self.0.writer.lock() {
            writer.do_send(Wake);
        }
    }

    pub(super) fn with_queue<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(&mut self.0.queue.lock())
    }

    pub(super) fn settle(&self, outcomes: Vec<Written>) {
        let replies: Vec<Reply> = self.with_queue(Queue::settle);
        if !outcomes.contains(&Written::Failed) {
            self.0.commits.fetch_add(1, Ordering::Relaxed);
            self.0.entries.fetch_add(outcomes.len() as u64, Ordering::Relaxed);
        }
        for (reply, written) in replies.into_iter().zip(outcomes) {
            reply(written);
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}
