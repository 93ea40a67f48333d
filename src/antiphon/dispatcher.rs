//! The node's address for other actors.

use std::{collections::HashMap, sync::Arc};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseActFuture, WrapFuture};

use super::{
    Antiphon, CancelResponse, CommittedFacts, ReadFacts, RespondError, StartResponse,
    fact_reader::{FactReader, Feed},
    handle::{WeakAntiphon, admit_error},
};
use crate::actors::{
    AdmitError, CancelRefusal, Label, Outcome, ReadRefusal, Role, Wish,
    supervision::{Child, Roster, spawn},
};
use crate::domain::View;
use crate::journal::Log;
use crate::protocol::ResponseId;
use crate::vault::UserKey;

/// Takes [`StartResponse`], [`CancelResponse`] and [`ReadFacts`] from other actors, on any thread and under any
/// runtime.
///
/// Its address ([`Antiphon::addr`](super::Antiphon::addr)) does not keep the node alive. Out: the answers, and
/// [`CommittedFacts`] to those who read. Ends: with the node; it then answers nothing any more.
#[derive(Debug)]
pub struct Dispatcher {
    node: WeakAntiphon,
    roster: Roster<Label>,
    readers: HashMap<u64, Child<FactReader>>,
    next: u64,
}

/// A reader of facts ended. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct FactReaderExited(u64);

impl Dispatcher {
    pub(super) fn new(node: WeakAntiphon, roster: Roster<Label>) -> Self {
        Self { node, roster, readers: HashMap::new(), next: 0 }
    }

    fn listen(&mut self, feed: Feed, ctx: &Context<Self>) {
        let (number, parent) = (self.next, ctx.address());
        self.next += 1;
        let label = Label::of(Role::FactReader, feed.subscription.id());
        let exit = move |_| parent.do_send(FactReaderExited(number));
        let child = spawn(&self.roster, label, move |_| FactReader::new(feed), exit);
        self.readers.insert(number, child);
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;
}

impl Handler<StartResponse> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<ResponseId, RespondError>>;

    fn handle(&mut self, start: StartResponse, _: &mut Self::Context) -> Self::Result {
        let started = begin(self.node.clone(), start);
        Box::pin(started.into_actor(self).map(|started, dispatcher, ctx| {
            let (id, feed) = started?;
            if let Some(feed) = feed {
                dispatcher.listen(feed, ctx);
            }
            Ok(id)
        }))
    }
}

impl Handler<CancelResponse> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<Arc<Outcome>, CancelRefusal>>;

    fn handle(&mut self, CancelResponse { user, id }: CancelResponse, _: &mut Self::Context) -> Self::Result {
        let node = self.node.clone();
        let cancelled = async move {
            let antiphon = node.upgrade().ok_or(CancelRefusal::Unavailable)?;
            antiphon.cancel(user, id).await
        };
        Box::pin(cancelled.into_actor(self))
    }
}

impl Handler<ReadFacts> for Dispatcher {
    type Result = ResponseActFuture<Self, Result<(), ReadRefusal>>;

    fn handle(&mut self, read: ReadFacts, _: &mut Self::Context) -> Self::Result {
        let found = join(self.node.clone(), read);
        Box::pin(found.into_actor(self).map(|found, dispatcher, ctx| {
            dispatcher.listen(found?, ctx);
            Ok(())
        }))
    }
}

impl Handler<FactReaderExited> for Dispatcher {
    type Result = ();

    fn handle(&mut self, FactReaderExited(number): FactReaderExited, _: &mut Self::Context) {
        self.readers.remove(&number);
    }
}

async fn begin(node: WeakAntiphon, start: StartResponse) -> Result<(ResponseId, Option<Feed>), RespondError> {
    let StartResponse { user, request, facts } = start;
    let antiphon = node.upgrade().ok_or(AdmitError::Draining)?;
    if facts.is_some() && request.store == Some(false) {
        return Err(RespondError::NotStored);
    }
    // Before the response is there: it must not begin without its reader.
    let key = antiphon.node().vault.user_key(user).await.map_err(admit_error)?;
    let reader = antiphon.user(user).start(request).await?;
    let id = reader.id;
    let feed = |to: Recipient<CommittedFacts>| Feed {
        subscription: node.subscription(user, reader, 0),
        log: log(&antiphon, &key, id),
        next: 0,
        to,
    };
    Ok((id, facts.map(feed)))
}

fn log(antiphon: &Antiphon, key: &UserKey, id: ResponseId) -> Log {
    Log::new(Arc::clone(&antiphon.node().store), key.response_key(id), id)
}

async fn join(node: WeakAntiphon, ReadFacts { user, id, from, to }: ReadFacts) -> Result<Feed, ReadRefusal> {
    let antiphon = node.upgrade().ok_or(ReadRefusal::Restarting)?;
    let key = antiphon.node().vault.user_key(user).await?;
    let reader = antiphon.subscribe(user, id, Wish::Events { view: View::default(), from: 0 }).await?;
    Ok(Feed { subscription: node.subscription(user, reader, 0), log: log(&antiphon, &key, id), next: from, to })
}
