//! The node's address for other actors.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use futures_util::FutureExt as _;
use tracing::Span;

use super::{
    Antiphon, CancelResponse, ReadFacts, StartResponse, Subscription, WeakAntiphon,
    fact_reader::{FactReader, Feed, LastWord, Patience},
    responses::without_user_key,
};
use crate::actors::{
    ActorRole, DeliveryMode, Label, ResponseOutcome, ResponsePhase,
    supervision::{ActorIdentity, Child, spawn_on},
};
use crate::domain::{View, Violation};
use crate::journal::Log;
use crate::protocol::ResponseId;
use crate::refusal::Refusal;
use crate::vault::UserKey;

/// Takes [`StartResponse`], [`CancelResponse`] and [`ReadFacts`] from other actors, on any thread and under any
/// runtime.
///
/// All it does it does in futures, so it always reads its mailbox, and none of them can take it down. Out: the answers,
/// and [`CommittedFacts`](super::CommittedFacts) to those who read. Ends: with the node; it then answers nothing any more.
#[derive(Debug)]
pub struct Dispatcher {
    node: WeakAntiphon,
    readers: HashMap<u64, Child<FactReader>>,
    next: u64,
}

/// A reader of facts ended. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct FactReaderExited(u64);

impl Antiphon {
    /// Where other actors send [`StartResponse`], [`CancelResponse`] and [`ReadFacts`]. Having it does not keep the node
    /// alive; a message that is being answered does.
    #[must_use]
    pub fn addr(&self) -> Addr<Dispatcher> {
        let handle = self.downgrade();
        self.dispatcher(|node| {
            spawn_on(
                // Parts of the embedder's run there; what serves the whole node must not wait for them.
                node.arbiters.of(ActorRole::Dispatcher).unwrap_or_else(|| node.arbiters.root()),
                &node.roster,
                ActorIdentity { label: Label::node(ActorRole::Dispatcher), span: Span::none() },
                move |_| Dispatcher { node: handle, readers: HashMap::new(), next: 0 },
                |exit| tracing::debug!(exit = ?exit, "the dispatcher ended"),
            )
        })
    }
}

impl Dispatcher {
    fn listen(&mut self, feed: Feed, id: ResponseId, ctx: &Context<Self>) -> Result<(), Refusal> {
        let antiphon = self.node.upgrade().ok_or(Refusal::Draining)?;
        let node = antiphon.node();
        let arbiter = node.arbiters.of(id).ok_or(Refusal::NotResponding)?;
        let (number, parent, last_word) = (self.next, ctx.address(), feed.last_word.clone());
        self.next += 1;
        let exit = move |exit| {
            last_word.reader_ended(&exit);
            parent.do_send(FactReaderExited(number));
        };
        let identity = ActorIdentity { label: Label::of(ActorRole::FactReader, id), span: Span::current() };
        let child = spawn_on(arbiter, &node.roster, identity, move |_| FactReader::new(feed), exit);
        self.readers.insert(number, child);
        Ok(())
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;
}

impl Handler<StartResponse> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<ResponseId, Refusal>>;

    fn handle(&mut self, start: StartResponse, _: &mut Self::Context) -> Self::Result {
        let started = guarded(begin(self.node.clone(), start));
        Box::pin(started.into_actor(self).map(|started, dispatcher, ctx| {
            let (id, feed) = started?;
            if let Some(feed) = feed {
                let last_word = feed.last_word.clone();
                // The response is there; what is missing is who tells of it.
                dispatcher.listen(feed, id, ctx).unwrap_or_else(|refusal| last_word.refuse(refusal));
            }
            Ok(id)
        }))
    }
}

impl Handler<CancelResponse> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<Arc<ResponseOutcome>, Refusal>>;

    fn handle(&mut self, CancelResponse { user, id }: CancelResponse, _: &mut Self::Context) -> Self::Result {
        let node = self.node.clone();
        let cancelled = async move {
            let antiphon = node.upgrade().ok_or(Refusal::Draining)?;
            antiphon.cancel(user, id).await
        };
        Box::pin(guarded(cancelled).into_actor(self))
    }
}

impl Handler<ReadFacts> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<(), Refusal>>;

    fn handle(&mut self, read: ReadFacts, _: &mut Self::Context) -> Self::Result {
        let id = read.id;
        let found = guarded(join(self.node.clone(), read));
        Box::pin(found.into_actor(self).map(move |found, dispatcher, ctx| dispatcher.listen(found?, id, ctx)))
    }
}

impl Handler<FactReaderExited> for Dispatcher {
    type Result = ();

    fn handle(&mut self, FactReaderExited(number): FactReaderExited, _: &mut Self::Context) {
        self.readers.remove(&number);
    }
}

/// A part of an embedder's that panics while it is asked takes this one answer with it, and not the address of all.
async fn guarded<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a message could not be answered: a part of the node panicked");
        Err(Refusal::Internal)
    })
}

async fn begin(node: WeakAntiphon, start: StartResponse) -> Result<(ResponseId, Option<Feed>), Refusal> {
    let StartResponse { user, request, facts } = start;
    let antiphon = node.upgrade().ok_or(Refusal::Draining)?;
    let Some(to) = facts else {
        let stream = antiphon.user(user).start(request).await?;
        return Ok((stream.id, None));
    };
    if request.store == Some(false) {
        return Err(Violation::invalid("store", "only a stored response has a log of facts").into());
    }
    // Before the response is there: it must not begin without its reader.
    let key = antiphon.node().vault.user_key(user).await.map_err(without_user_key)?;
    let stream = antiphon.user(user).start(request).await?;
    let id = stream.id;
    let subscription = antiphon.downgrade().subscription(user, stream);
    Ok((id, Some(feed(&antiphon, &key, Some(subscription), LastWord::new(id, to, 0)))))
}

async fn join(node: WeakAntiphon, ReadFacts { user, id, from, to }: ReadFacts) -> Result<Feed, Refusal> {
    let antiphon = node.upgrade().ok_or(Refusal::Draining)?;
    let key = antiphon.node().vault.user_key(user).await?;
    let at_end = antiphon.subscribe(user, id, DeliveryMode::Ending).await?;
    let has_ended = matches!(*at_end.phase.borrow(), ResponsePhase::Ended(_));
    let subscription = match has_ended {
        true => None,
        false => {
            let mode = DeliveryMode::Events { view: View::default(), from: 0 };
            let stream = antiphon.subscribe(user, id, mode).await?;
            Some(antiphon.downgrade().subscription(user, stream))
        }
    };
    Ok(feed(&antiphon, &key, subscription, LastWord::new(id, to, from)))
}

fn feed(antiphon: &Antiphon, key: &UserKey, subscription: Option<Subscription>, last_word: LastWord) -> Feed {
    let (node, id) = (antiphon.node(), last_word.response());
    Feed {
        subscription,
        log: Log::new(Arc::clone(&node.store.responses), key.response_key(id), id).for_user(&node.logs),
        patience: Patience { look: node.settings.heartbeat, stall: node.settings.client_stall_timeout },
        last_word,
    }
}
