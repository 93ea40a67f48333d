//! Telling an actor the facts of one response.

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Recipient, WrapFuture};

use super::CommittedFacts;
use crate::actors::{Emission, ReadRefusal, Subscription};
use crate::journal::{Log, LogError};
use crate::store;

/// Tells one recipient the committed facts of one response.
///
/// The events of a [`Subscription`] say that there is more; the facts themselves are read from the log, so nothing is
/// told that is not durable. In: nothing. Out: [`CommittedFacts`], one at a time. Ends: after the last word, or when
/// the recipient is gone.
#[derive(Debug)]
pub(super) struct FactReader(Option<Feed>);

/// What a reader of facts starts from.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) subscription: Subscription,
    pub(super) log: Log,
    /// The number of the next fact.
    pub(super) next: u64,
    pub(super) to: Recipient<CommittedFacts>,
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

/// What the subscription says.
enum News {
    More,
    End,
    BrokenOff(ReadRefusal),
}

impl News {
    fn of(emission: &Emission) -> Self {
        match emission {
            Emission::Frame { .. } => Self::More,
            Emission::End => Self::End,
            Emission::Unavailable { .. } => Self::BrokenOff(ReadRefusal::Unavailable),
        }
    }
}

impl Feed {
    async fn tell(mut self) {
        let response = self.subscription.id();
        loop {
            let news = self.news().await;
            if let Err(refusal) = self.pages().await {
                return self.say(CommittedFacts::BrokenOff { response, next: self.next, refusal }).await;
            }
            match news {
                News::More if self.to.connected() => {}
                News::More => return,
                News::End => return self.say(CommittedFacts::End { response }).await,
                News::BrokenOff(refusal) => {
                    return self.say(CommittedFacts::BrokenOff { response, next: self.next, refusal }).await;
                }
            }
        }
    }

    /// Waits until there is something, and takes all that is there: it is read at once.
    async fn news(&mut self) -> News {
        let mut news = match self.subscription.recv().await {
            Some(Ok(emission)) => News::of(&emission),
            Some(Err(refusal)) => News::BrokenOff(refusal),
            None => News::BrokenOff(ReadRefusal::Failed),
        };
        while let Some(emission) = self.subscription.try_recv() {
            news = News::of(&emission);
        }
        news
    }

    /// Tells all that the log has.
    async fn pages(&mut self) -> Result<(), ReadRefusal> {
        loop {
            let facts = self.log.page(self.next).await.map_err(refusal)?;
            if facts.is_empty() {
                return Ok(());
            }
            let first = self.next;
            self.next += facts.len() as u64;
            self.say(CommittedFacts::Next { response: self.subscription.id(), first, facts }).await;
        }
    }

    /// Whoever is told may be gone; that is seen by who tells the next.
    async fn say(&self, facts: CommittedFacts) {
        let _handled = self.to.send(facts).await;
    }
}

fn refusal(error: LogError) -> ReadRefusal {
    match error {
        LogError::Store(store::Error::Unavailable(_)) => ReadRefusal::Unavailable,
        LogError::Store(_) | LogError::Vault(_) | LogError::Codec(_) | LogError::Gap => {
            tracing::error!(error = %error, "a log could not be read");
            ReadRefusal::Failed
        }
    }
}
