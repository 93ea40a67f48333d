//! The node's address for other actors.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use futures_util::FutureExt as _;
use tracing::Span;

use super::{
    Antiphon, CancelResponse, ReadFacts, RespondError, StartResponse, WeakAntiphon,
    fact_reader::{FactReader, Feed, LastWord, Patience},
    handle::admit_error,
};
use crate::actors::{
    ClientStream, DeliveryMode, Label, ResponseOutcome, ResponsePhase, Role,
    supervision::{ActorIdentity, Child, spawn_on},
};
use crate::domain::View;
use crate::journal::Log;
use crate::protocol::{ResponseId, UserId};
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

impl Dispatcher {
    pub(super) fn new(node: WeakAntiphon) -> Self {
        Self { node, readers: HashMap::new(), next: 0 }
    }

    fn listen(&mut self, feed: Feed, id: ResponseId, ctx: &Context<Self>) -> Result<(), Refusal> {
        let antiphon = self.node.upgrade().ok_or(Refusal::Draining)?;
        let node = antiphon.node();
        let arbiter = node.arbiters.of(id).ok_or(Refusal::Internal)?;
        let (number, parent, last_word) = (self.next, ctx.address(), feed.last_word.clone());
        self.next += 1;
        let exit = move |exit| {
            last_word.reader_ended(&exit);
            parent.do_send(FactReaderExited(number));
        };
        let identity = ActorIdentity { label: Label::of(Role::FactReader, id), span: Span::current() };
        let child = spawn_on(arbiter, &node.roster, identity, move |_| FactReader::new(feed), exit);
        self.readers.insert(number, child);
        Ok(())
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;
}

impl Handler<StartResponse> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<ResponseId, RespondError>>;

    fn handle(&mut self, start: StartResponse, _: &mut Self::Context) -> Self::Result {
        let started = guarded(begin(self.node.clone(), start), || Refusal::Internal.into());
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
            let antiphon = node.upgrade().ok_or(Refusal::DatabaseUnavailable)?;
            antiphon.cancel(user, id).await
        };
        Box::pin(guarded(cancelled, || Refusal::Internal).into_actor(self))
    }
}

impl Handler<ReadFacts> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<(), Refusal>>;

    fn handle(&mut self, read: ReadFacts, _: &mut Self::Context) -> Self::Result {
        let id = read.id;
        let found = guarded(join(self.node.clone(), read), || Refusal::Internal);
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
async fn guarded<T, E>(work: impl Future<Output = Result<T, E>>, failed: impl FnOnce() -> E) -> Result<T, E> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a message could not be answered: a part of the node panicked");
        Err(failed())
    })
}

async fn begin(node: WeakAntiphon, start: StartResponse) -> Result<(ResponseId, Option<Feed>), RespondError> {
    let StartResponse { user, request, facts } = start;
    let antiphon = node.upgrade().ok_or(Refusal::Draining)?;
    let Some(to) = facts else {
        let reader = antiphon.user(user).start(request).await?;
        return Ok((reader.id, None));
    };
    if request.store == Some(false) {
        return Err(RespondError::NotStored);
    }
    // Before the response is there: it must not begin without its reader.
    let key = antiphon.node().vault.user_key(user).await.map_err(admit_error)?;
    let reader = antiphon.user(user).start(request).await?;
    let id = reader.id;
    Ok((id, Some(feed(&antiphon, (user, &key), (id, Some(reader)), LastWord::new(id, to, 0)))))
}

async fn join(node: WeakAntiphon, ReadFacts { user, id, from, to }: ReadFacts) -> Result<Feed, Refusal> {
    let antiphon = node.upgrade().ok_or(Refusal::Draining)?;
    let key = antiphon.node().vault.user_key(user).await?;
    let at_end = antiphon.subscribe(user, id, DeliveryMode::Ending).await?;
    let has_ended = matches!(*at_end.phase.borrow(), ResponsePhase::Ended(_));
    let reader = match has_ended {
        true => None,
        false => Some(antiphon.subscribe(user, id, DeliveryMode::Events { view: View::default(), from: 0 }).await?),
    };
    Ok(feed(&antiphon, (user, &key), (id, reader), LastWord::new(id, to, from)))
}

fn feed(
    antiphon: &Antiphon,
    (user, key): (UserId, &UserKey),
    (id, reader): (ResponseId, Option<ClientStream>),
    last_word: LastWord,
) -> Feed {
    let node = antiphon.node();
    Feed {
        subscription: reader.map(|reader| antiphon.downgrade().subscription(user, reader, 0)),
        log: Log::new(Arc::clone(&node.store.responses), key.response_key(id), id),
        patience: Patience { look: node.settings.heartbeat, stall: node.settings.client_stall_timeout },
        last_word,
    }
}
