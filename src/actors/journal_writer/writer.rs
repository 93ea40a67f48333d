//! The actor that commits what the node writes.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};

use tokio::time::Instant;

use super::{
    Journal, Written,
    group_size::GroupSize,
    queue::{NoRoom, Queue},
};
use crate::actors::supervision::Ping;
use crate::domain::GroupOptions;
use crate::fault::{self, FaultPoint};
use crate::store::{CommitOutcome, Error, GroupCommit};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// After how many commits in a row that other transactions were in the way of a group is halved.
const MOST_CONTENDED: u32 = 3;

/// Commits what all responses of a node submit, one transaction after the other.
///
/// While one commit runs the next group is gathered, so there is no timer: an idle server commits at once and a busy
/// one in large groups, as large as the time that the last ones took allows. A group that the database refused or did
/// not finish in time is halved, and so is one that other transactions are in the way of again and again. A single entry
/// that can't get on goes behind those of other responses: a lock that another program holds on one row stops one
/// response. While the database is unavailable the group in flight is tried again without end; callers that can't wait
/// that long give up themselves. Where the database has no room deletions, which make some, take turns with all else, as many
/// at once as find room. A new writer submits the group of the old one again.
///
/// In: [`Wake`]. Out: the replies of the entries. Ends: never by itself.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    group_commit: Arc<dyn GroupCommit>,
    journal: Journal,
    group_size: GroupSize,
    busy: bool,
    pause: Duration,
    /// How many commits in a row another transaction was in the way of.
    contended: u32,
    /// Whether the last commit was a single entry that was not done in time.
    single_timed_out: bool,
    /// Wakes the writer when an entry is due that was put off.
    timer: Option<SpawnHandle>,
}

impl JournalWriter {
    /// A writer that takes entries from `journal` and commits them to `group_commit`.
    #[must_use]
    pub(crate) fn new(group_commit: Arc<dyn GroupCommit>, journal: Journal, groups: GroupOptions) -> Self {
        Self {
            group_commit,
            journal,
            group_size: GroupSize::new(groups),
            busy: false,
            pause: FIRST_PAUSE,
            contended: 0,
            single_timed_out: false,
            timer: None,
        }
    }

    fn commit_next(&mut self, ctx: &mut Context<Self>) {
        if self.busy {
            return;
        }
        let (bounds, now) = (self.group_size.bounds(), Instant::now());
        let Some(group) = self.journal.with_queue(|queue| queue.take(bounds, now)) else {
            return self.wake_for_deferred(now, ctx);
        };
        self.busy = true;
        fault::reach(FaultPoint::GroupTaken);
        let group_commit = Arc::clone(&self.group_commit);
        let begun = Instant::now();
        let commit = async move { group_commit.commit(&group).await };
        ctx.spawn(
            commit.into_actor(self).map(move |result, writer, ctx| writer.committed(result, begun.elapsed(), ctx)),
        );
    }

    /// Nothing is to be committed until an entry that was put off is due.
    fn wake_for_deferred(&mut self, now: Instant, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(due) = self.journal.with_queue(|queue| queue.wakes_at(now)) {
            self.timer = Some(ctx.run_later(due - now, Self::commit_next));
        }
    }

    fn committed(&mut self, result: Result<Vec<CommitOutcome>, Error>, took: Duration, ctx: &mut Context<Self>) {
        let entries = self.journal.with_queue(|queue| queue.in_flight());
        match result {
            Ok(outcomes) => {
                self.pause = FIRST_PAUSE;
                (self.contended, self.single_timed_out) = (0, false);
                self.group_size.committed(entries, took);
                fault::reach(FaultPoint::GroupAnswered);
                self.journal.settle(outcomes.into_iter().map(Written::from).collect());
                self.next(ctx);
            }
            Err(error @ Error::TimedOut(_)) if entries > 1 => {
                tracing::warn!(error = %error, entries, "a commit was too slow and is halved");
                self.group_size.timed_out(entries);
                self.journal.with_queue(Queue::halve);
                self.next(ctx);
            }
            Err(error @ Error::TimedOut(_)) => self.single_was_too_slow(&error, ctx),
            Err(error @ Error::Contended(_)) => self.was_contended(&error, entries, ctx),
            Err(error @ Error::Unavailable(_)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a commit waits for the database");
                self.journal.with_queue(|queue| queue.away = true);
                self.try_again(ctx);
            }
            Err(error @ Error::Full(_)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a commit waits for the database");
                self.had_no_room(entries, ctx);
            }
            Err(error @ (Error::Failed(_) | Error::Corrupt { .. } | Error::UnknownCursor)) => {
                if self.journal.with_queue(Queue::halve) {
                    tracing::error!(error = %error, "the database refused an entry");
                    self.journal.settle(vec![Written::Failed]);
                }
                self.next(ctx);
            }
        }
    }

    /// A single entry was not done in time. One alone may wait for a lock; if the next one fails in the same way, the
    /// database is away. The entry is put off in either case: there may be several locks.
    fn single_was_too_slow(&mut self, error: &Error, ctx: &mut Context<Self>) {
        self.put_off(error);
        if std::mem::replace(&mut self.single_timed_out, true) {
            tracing::warn!(error = %error, "a commit waits for the database");
            self.journal.with_queue(|queue| queue.away = true);
            self.try_again(ctx);
        } else {
            self.next(ctx);
        }
    }

    fn had_no_room(&mut self, entries: usize, ctx: &mut Context<Self>) {
        let now = Instant::now();
        match self.journal.with_queue(|queue| queue.has_no_room(now)) {
            NoRoom::Waits => self.try_again(ctx),
            NoRoom::Fewer => {
                tracing::warn!(entries, "deletions find no room together and are tried in smaller groups");
                self.next(ctx);
            }
            NoRoom::PutOff(response) => {
                tracing::warn!(response.id = %response, "a deletion is put off: there is no room for it");
                self.try_again(ctx);
            }
        }
    }

    fn was_contended(&mut self, error: &Error, entries: usize, ctx: &mut Context<Self>) {
        self.contended += 1;
        if self.contended < MOST_CONTENDED {
            tracing::warn!(error = %error, entries, "a commit waits for another transaction");
            return self.try_again(ctx);
        }
        if self.journal.with_queue(Queue::halve) {
            self.put_off(error);
        } else {
            tracing::warn!(error = %error, entries, "a commit waits for another transaction");
        }
        self.next(ctx);
    }

    fn put_off(&self, error: &Error) {
        let now = Instant::now();
        if let Some(response) = self.journal.with_queue(|queue| queue.defer(now)) {
            tracing::warn!(error = %error, response.id = %response, "an entry is put off: its row may be locked");
        }
    }

    /// Submits the group in flight again, or else the next one, after a pause that grows.
    fn try_again(&mut self, ctx: &mut Context<Self>) {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        ctx.run_later(pause, Self::next);
    }

    fn next(&mut self, ctx: &mut Context<Self>) {
        self.busy = false;
        self.commit_next(ctx);
    }
}

impl Actor for JournalWriter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.commit_next(ctx);
    }
}

/// Wakes the writer: there is something to commit.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Wake;

impl Handler<Wake> for JournalWriter {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.commit_next(ctx);
    }
}

impl Handler<Ping> for JournalWriter {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
