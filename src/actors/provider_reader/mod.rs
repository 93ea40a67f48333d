//! Reads the provider of one response.

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};
use futures_util::{StreamExt, stream::LocalBoxStream};

use crate::actors::supervision::Ping;
use crate::domain::{Attempt, Fact, json_size, logprob_size};
use crate::fault::{self, FaultPoint};
use crate::provider::{Error, ProviderEvent};

/// What an event costs in credit beside its text: about what it needs in memory until it is durable.
const EVENT_COST: usize = 64;

type Batches = LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>>;

/// Reads one attempt of one provider and passes on what it says, one batch per read.
///
/// It holds credits, in bytes; each batch spends some, and the supervisor gives them back when the batch is
/// durable. Without credit it does not read, and the provider's socket fills.
///
/// In: [`Grant`]. Out: [`ReaderFact`]s. Ends: after [`Said::Ended`].
pub(crate) struct ProviderReader {
    attempt: Attempt,
    /// None while a read is on its way.
    batches: Option<Batches>,
    credit: isize,
    parent: Recipient<ReaderFact>,
}

/// What a provider did. Sent to the supervisor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ReaderFact {
    /// Which call of a provider.
    pub(crate) attempt: Attempt,
    /// What it said.
    pub(crate) said: Said,
}

/// What a provider said.
#[derive(Debug)]
pub(crate) enum Said {
    /// It said something.
    Read {
        /// What it said.
        facts: Vec<Fact>,
        /// The credit it spent, in bytes.
        cost: usize,
    },
    /// It will say no more.
    Ended(Result<(), Error>),
}

/// Gives credit back, in bytes.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Grant(pub(crate) usize);

impl ProviderReader {
    pub(crate) fn new(attempt: Attempt, batches: Batches, credit: usize, parent: Recipient<ReaderFact>) -> Self {
        Self { attempt, batches: Some(batches), credit: credit.cast_signed(), parent }
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        if self.credit <= 0 {
            return;
        }
        let Some(mut batches) = self.batches.take() else { return };
        let read = async move { (batches.next().await, batches) };
        ctx.spawn(read.into_actor(self).map(|(batch, batches), reader, ctx| reader.pass_on(batch, batches, ctx)));
    }

    fn pass_on(&mut self, batch: Option<Result<Vec<ProviderEvent>, Error>>, batches: Batches, ctx: &mut Context<Self>) {
        match batch {
            Some(Ok(events)) => {
                let cost = events.iter().map(|event| EVENT_COST + size(event)).sum();
                self.credit -= usize::cast_signed(cost);
                let facts = events.into_iter().map(|event| fact(self.attempt, event)).collect();
                fault::reach(FaultPoint::FactsHeard);
                self.tell(Said::Read { facts, cost });
                self.batches = Some(batches);
                self.read(ctx);
            }
            Some(Err(error)) => self.end(Err(error), ctx),
            None => self.end(Ok(()), ctx),
        }
    }

    fn end(&self, result: Result<(), Error>, ctx: &mut Context<Self>) {
        self.tell(Said::Ended(result));
        ctx.stop();
    }

    fn tell(&self, said: Said) {
        self.parent.do_send(ReaderFact { attempt: self.attempt, said });
    }
}

fn size(event: &ProviderEvent) -> usize {
    match event {
        ProviderEvent::Text { text, logprobs, .. } => text.len() + logprobs.iter().map(logprob_size).sum::<usize>(),
        ProviderEvent::Reasoning { text, .. }
        | ProviderEvent::Summary { text, .. }
        | ProviderEvent::Refusal { text, .. }
        | ProviderEvent::Arguments { text, .. } => text.len(),
        ProviderEvent::SealedReasoning { encrypted_content } => encrypted_content.len(),
        ProviderEvent::CallStarted { call_id, name, .. } => call_id.len() + name.len(),
        ProviderEvent::Annotation { annotation: fields, .. }
        | ProviderEvent::SpeechFinished { extra: fields }
        | ProviderEvent::CallFinished { extra: fields, .. }
        | ProviderEvent::OtherStarted { fields, .. }
        | ProviderEvent::OtherReported { fields, .. }
        | ProviderEvent::OtherFinished { fields, .. } => json_size(fields),
        ProviderEvent::Opened { .. }
        | ProviderEvent::PartFinished
        | ProviderEvent::Usage(_)
        | ProviderEvent::Finished(_) => 0,
    }
}

fn fact(attempt: Attempt, event: ProviderEvent) -> Fact {
    match event {
        ProviderEvent::Opened { provider_response_id } => Fact::AttemptOpened { attempt, provider_response_id },
        ProviderEvent::Text { text, logprobs, upstream_sequence } if logprobs.is_empty() => {
            Fact::TextArrived { attempt, text, upstream_sequence }
        }
        ProviderEvent::Text { text, logprobs, upstream_sequence } => {
            Fact::ScoredTextArrived { attempt, text, logprobs, upstream_sequence }
        }
        ProviderEvent::Annotation { annotation, upstream_sequence } => {
            Fact::AnnotationArrived { attempt, annotation, upstream_sequence }
        }
        ProviderEvent::Reasoning { text, upstream_sequence } => {
            Fact::ReasoningArrived { attempt, text, upstream_sequence }
        }
        ProviderEvent::Summary { part, text, upstream_sequence } => {
            Fact::SummaryArrived { attempt, part, text, upstream_sequence }
        }
        ProviderEvent::SealedReasoning { encrypted_content } => Fact::ReasoningSealed { attempt, encrypted_content },
        ProviderEvent::Refusal { text, upstream_sequence } => Fact::RefusalArrived { attempt, text, upstream_sequence },
        ProviderEvent::CallStarted { call, call_id, name } => Fact::CallStarted { attempt, call, call_id, name },
        ProviderEvent::Arguments { call, text, upstream_sequence } => {
            Fact::ArgumentsArrived { attempt, call, text, upstream_sequence }
        }
        ProviderEvent::CallFinished { call, extra } => Fact::CallFinished { attempt, call, extra },
        ProviderEvent::PartFinished => Fact::PartFinished { attempt },
        ProviderEvent::SpeechFinished { extra } => Fact::SpeechFinished { attempt, extra },
        ProviderEvent::OtherStarted { item, fields } => Fact::OtherStarted { attempt, item, fields },
        ProviderEvent::OtherReported { item, event, fields } => Fact::OtherReported { attempt, item, event, fields },
        ProviderEvent::OtherFinished { item, fields } => Fact::OtherFinished { attempt, item, fields },
        ProviderEvent::Usage(usage) => Fact::UsageReported { attempt, usage },
        ProviderEvent::Finished(reason) => Fact::ProviderFinished { attempt, reason },
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
