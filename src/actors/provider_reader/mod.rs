//! ProviderReads the provider of one response.

mod reads;
mod turn;

pub(crate) use turn::BatchTurn;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};

use self::reads::{Batches, End, ProviderReads, Read};
use crate::actors::supervision::Ping;
use crate::domain::{Attempt, ProviderEvent};
use crate::fault::{self, FaultPoint};
use crate::provider::Error;

/// ProviderReads one attempt at one provider and passes its events on, one batch per read.
///
/// While it reads much, each batch waits for its turn on the arbiter. It holds credits, in bytes; each batch spends some, and
/// the supervisor gives them back when the batch is durable. Without credit it does not read, and the provider's socket fills.
///
/// In: [`Grant`]. Out: [`ProviderMessage`]s. Ends: after [`ProviderMessage::Ended`].
pub(crate) struct ProviderReader {
    attempt: Attempt,
    /// The stream; none during a read.
    reads: Option<ProviderReads>,
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
        /// Held until they are durable, if much was read lately.
        turn: Option<BatchTurn>,
    },
    /// The call is over.
    Ended {
        /// The attempt that is over.
        attempt: Attempt,
        /// The error, if it failed.
        result: Result<(), Error>,
        /// Held until what follows is durable, if it had much to say.
        turn: Option<BatchTurn>,
    },
}

/// Returns credit to the reader, in bytes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Grant(pub(crate) usize);

impl ProviderReader {
    pub(crate) fn new(attempt: Attempt, batches: Batches, credit: usize, parent: Recipient<ProviderMessage>) -> Self {
        let reads = Some(ProviderReads::new(batches));
        Self { attempt, reads, credit: credit.cast_signed(), parent }
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        if self.credit <= 0 {
            return;
        }
        let Some(mut reads) = self.reads.take() else { return };
        let read = async move { (reads.next().await, reads) };
        ctx.spawn(read.into_actor(self).map(|(read, reads), reader, ctx| {
            reader.reads = Some(reads);
            reader.pass_on(read, ctx);
        }));
    }

    fn pass_on(&mut self, read: Result<Read, End>, ctx: &mut Context<Self>) {
        let attempt = self.attempt;
        match read {
            Ok(Read { events, cost, turn }) => {
                self.credit -= usize::cast_signed(cost);
                fault::reach(FaultPoint::FactsHeard);
                self.parent.do_send(ProviderMessage::Events { attempt, events, cost, turn });
                self.read(ctx);
            }
            Err(End { result, turn }) => {
                self.parent.do_send(ProviderMessage::Ended { attempt, result, turn });
                ctx.stop();
            }
        }
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
