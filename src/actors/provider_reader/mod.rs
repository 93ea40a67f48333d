//! Reads the provider of one response.

mod turn;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};
use futures_util::{StreamExt, stream::LocalBoxStream};
use tokio::time::Instant;

use self::turn::{BatchTurn, RecentReads};
use crate::actors::supervision::Ping;
use crate::domain::{Attempt, ProviderEvent};
use crate::fault::{self, FaultPoint};
use crate::provider::Error;

/// The credit that an event costs beside its text: about what it needs in memory until it is durable.
const EVENT_COST: usize = 64;

type Batches = LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>>;

/// Reads one attempt at one provider and passes its events on, one batch per read.
///
/// While it reads much, each batch waits for its turn on the arbiter. It holds credits, in bytes; each batch spends some, and
/// the supervisor gives them back when the batch is durable. Without credit it does not read, and the provider's socket fills.
///
/// In: [`Grant`]. Out: [`ProviderMessage`]s. Ends: after [`ProviderMessage::Ended`].
pub(crate) struct ProviderReader {
    attempt: Attempt,
    /// The stream of batches; none during a read.
    batches: Option<Batches>,
    recent: RecentReads,
    credit: isize,
    parent: Recipient<ProviderMessage>,
}

/// What a reader reports of a provider's call. Sent to the supervisor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ProviderMessage {
    /// The provider sent events.
    Events {
        /// The attempt that they belong to.
        attempt: Attempt,
        /// The events of one read.
        events: Vec<ProviderEvent>,
        /// The credit that the read spent, in bytes.
        cost: usize,
        /// Held until they are handled, if much was read lately.
        turn: Option<BatchTurn>,
    },
    /// The call is over.
    Ended {
        /// The attempt that is over.
        attempt: Attempt,
        /// The error, if it failed.
        result: Result<(), Error>,
    },
}

/// Returns credit to the reader, in bytes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Grant(pub(crate) usize);

/// The events of one read, and the credit that they cost.
struct ReadBatch {
    events: Vec<ProviderEvent>,
    cost: usize,
}

impl ReadBatch {
    fn of(events: Vec<ProviderEvent>) -> Self {
        let cost = events.iter().map(|event| EVENT_COST + event.output_bytes()).sum();
        Self { events, cost }
    }
}

impl ProviderReader {
    pub(crate) fn new(attempt: Attempt, batches: Batches, credit: usize, parent: Recipient<ProviderMessage>) -> Self {
        let recent = RecentReads::new(Instant::now());
        Self { attempt, batches: Some(batches), recent, credit: credit.cast_signed(), parent }
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        if self.credit <= 0 {
            return;
        }
        let Some(mut batches) = self.batches.take() else { return };
        let mut recent = self.recent;
        let read = async move {
            let batch = batches.next().await.map(|read| read.map(ReadBatch::of));
            let cost = batch.as_ref().and_then(|read| read.as_ref().ok()).map_or(0, |batch| batch.cost);
            let turn = if recent.add(cost, Instant::now()) { BatchTurn::wait().await } else { None };
            (batch, turn, batches, recent)
        };
        ctx.spawn(read.into_actor(self).map(|(batch, turn, batches, recent), reader, ctx| {
            (reader.batches, reader.recent) = (Some(batches), recent);
            reader.pass_on(batch, turn, ctx);
        }));
    }

    fn pass_on(&mut self, batch: Option<Result<ReadBatch, Error>>, turn: Option<BatchTurn>, ctx: &mut Context<Self>) {
        match batch {
            Some(Ok(ReadBatch { events, cost })) => {
                self.credit -= usize::cast_signed(cost);
                fault::reach(FaultPoint::FactsHeard);
                self.parent.do_send(ProviderMessage::Events { attempt: self.attempt, events, cost, turn });
                self.read(ctx);
            }
            Some(Err(error)) => self.end(Err(error), ctx),
            None => self.end(Ok(()), ctx),
        }
    }

    fn end(&self, result: Result<(), Error>, ctx: &mut Context<Self>) {
        self.parent.do_send(ProviderMessage::Ended { attempt: self.attempt, result });
        ctx.stop();
    }
}

impl Actor for ProviderReader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.read(ctx);
    }
}

impl Handler<Grant> for ProviderReader {
    type Result = ();

    fn handle(&mut self, Grant(bytes): Grant, ctx: &mut Self::Context) {
        self.credit += bytes.cast_signed();
        self.read(ctx);
    }
}

impl Handler<Ping> for ProviderReader {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
