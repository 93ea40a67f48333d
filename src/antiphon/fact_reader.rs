//! Telling an actor the facts of one response.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Recipient, WrapFuture};
use tokio::time::{sleep, timeout};

use super::{CommittedFacts, Interruption, Subscription};
use crate::actors::{Emission, supervision::Exit};
use crate::journal::{Log, SEGMENTS_A_PAGE};
use crate::protocol::ResponseId;
use crate::refusal::Refusal;

/// Tells one recipient the committed facts of one response.
///
/// The events of a [`Subscription`] say that there is more; the facts themselves are read from the log, so nothing is
/// told that is not durable. In: nothing. Out: [`CommittedFacts`], one at a time. Ends: after the last word, which
/// [`LastWord`] says where the reader can't.
#[derive(Debug)]
pub(super) struct FactReader(Option<Feed>);

/// What a reader of facts starts from.
#[derive(Debug)]
pub(super) struct Feed {
    /// None if the response had ended before: then all is there.
    pub(super) subscription: Option<Subscription>,
    pub(super) log: Log,
    pub(super) patience: Patience,
    pub(super) last_word: LastWord,
}

/// How long a recipient may do nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How often it is looked whether it is still there.
    pub(super) look: Duration,
    /// How long it may take for one message.
    pub(super) stall: Duration,
}

/// Whom the facts are told, how far they are, and whether the last word was said. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct LastWord(Arc<Told>);

#[derive(Debug)]
struct Told {
    response: ResponseId,
    to: Recipient<CommittedFacts>,
    next: AtomicU64,
    over: AtomicBool,
}

impl LastWord {
    pub(super) fn new(response: ResponseId, to: Recipient<CommittedFacts>, next: u64) -> Self {
        Self(Arc::new(Told { response, to, next: next.into(), over: false.into() }))
    }

    pub(super) fn response(&self) -> ResponseId {
        self.0.response
    }

    /// Says how the reader ended, unless it said so itself.
    pub(super) fn reader_ended(&self, exit: &Exit) {
        let refusal = match exit {
            Exit::Killed => Refusal::Draining,
            Exit::Stopped | Exit::Hung | Exit::Panicked(_) => Refusal::Internal,
        };
        self.say(Err(refusal.into()));
    }

    /// Says that there is nobody to tell them.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.say(Err(refusal.into()));
    }

    fn say(&self, ended: Result<(), Interruption>) {
        if self.0.over.swap(true, Ordering::SeqCst) {
            return;
        }
        let (response, next) = (self.0.response, self.next());
        // Not waited for: nothing follows.
        self.0.to.do_send(match ended {
            Ok(()) => CommittedFacts::End { response },
            Err(why) => CommittedFacts::BrokenOff { response, next, why },
        });
    }

    fn next(&self) -> u64 {
        self.0.next.load(Ordering::SeqCst)
    }
}

impl FactReader {
    pub(super) fn new(feed: Feed) -> Self {
        Self(Some(feed))
    }
}

impl Actor for FactReader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(feed) = self.0.take() else { return ctx.stop() };
        ctx.spawn(feed.tell().into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Feed {
    async fn tell(mut self) {
        let ended = self.tell_all().await;
        self.last_word.say(ended);
    }

    async fn tell_all(&mut self) -> Result<(), Interruption> {
        loop {
            let over = self.is_over().await?;
            self.pages().await?;
            if over {
                return Ok(());
            }
        }
    }

    /// Waits until there is something, and takes all that is there: it is read at once. Whether there will be more.
    async fn is_over(&mut self) -> Result<bool, Interruption> {
        let Some(subscription) = &mut self.subscription else { return Ok(true) };
        let emission = loop {
            tokio::select! {
                emission = subscription.recv() => break emission,
                () = sleep(self.patience.look) => {
                    if !self.last_word.0.to.connected() {
                        return Err(Interruption::Stalled);
                    }
                }
            }
        };
        let mut last = emission.unwrap_or(Err(Refusal::Internal))?;
        while let Some(emission) = subscription.try_recv() {
            last = emission;
        }
        match last {
            Emission::Frame { .. } | Emission::Part { .. } => Ok(false),
            Emission::End => Ok(true),
            Emission::Unavailable { .. } => Err(Refusal::DatabaseUnavailable.into()),
        }
    }

    /// Tells all that the log has.
    async fn pages(&mut self) -> Result<(), Interruption> {
        let (response, told) = (self.last_word.0.response, self.last_word.clone());
        loop {
            let first = told.next();
            let facts = self.log.page(first).await.map_err(|error| Refusal::of_log(response, error))?;
            let count = facts.len();
            if count > 0 {
                let next = CommittedFacts::Next { response, first, facts };
                match timeout(self.patience.stall, told.0.to.send(next)).await {
                    Ok(Ok(())) => told.0.next.store(first + count as u64, Ordering::SeqCst),
                    Ok(Err(_)) | Err(_) => return Err(Interruption::Stalled),
                }
            }
            // A segment has a fact at least: a page of fewer is the last.
            if count < SEGMENTS_A_PAGE {
                return Ok(());
            }
        }
    }
}
