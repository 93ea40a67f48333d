//! The raw way: messages to an address, facts to a recipient.

use std::time::Duration;

use actix::{Actor, ActorContext as _, Addr, Context, Handler, Recipient, ResponseFuture};
use antiphon::{
    Antiphon, CancelResponse, CommittedFacts, Interruption, ReadFacts, Refusal, StartResponse,
    actors::{Label, Role, supervision::Fault},
    admission::Model,
    domain::{DisconnectMode, Fact, Request, ResponseOptions, Target, Transcript},
    protocol::{CreateResponse, ResponseId, Status, UserId},
    provider::{Error, Provider, ProviderEvent, ProviderRequest},
    testkit::{PuppetProvider, impatient},
};
use futures_util::stream::LocalBoxStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{answer, builder, node, options, question};

/// An actor of somebody else's that is told facts.
struct Listener(UnboundedSender<CommittedFacts>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<CommittedFacts> for Listener {
    type Result = ();

    fn handle(&mut self, told: CommittedFacts, _: &mut Self::Context) {
        // The test may have heard enough.
        let _enough = self.0.send(told);
    }
}

/// An address of an actor that nobody here answers for.
#[expect(clippy::disallowed_methods, reason = "somebody else's actors are started as theirs are")]
fn start<A: Actor<Context = Context<A>>>(actor: A) -> Addr<A> {
    actor.start()
}

fn listener() -> (Recipient<CommittedFacts>, UnboundedReceiver<CommittedFacts>) {
    let (tell, told) = unbounded_channel();
    (start(Listener(tell)).recipient(), told)
}

/// All facts up to the last word, which must be that it ended.
async fn all(told: &mut UnboundedReceiver<CommittedFacts>, from: u64) -> Vec<Fact> {
    let mut heard = Vec::new();
    loop {
        match told.recv().await.unwrap() {
            CommittedFacts::Next { first, facts, .. } => {
                assert_eq!(first, from + heard.len() as u64, "no gap, nothing twice");
                heard.extend(facts);
            }
            CommittedFacts::End { .. } => return heard,
            CommittedFacts::BrokenOff { why, .. } => unreachable!("{why}"),
        }
    }
}

async fn read(antiphon: &Antiphon, (user, id): (UserId, ResponseId), from: u64) -> Vec<Fact> {
    let (to, mut told) = listener();
    antiphon.addr().send(ReadFacts { user, id, from, to }).await.unwrap().unwrap();
    all(&mut told, from).await
}

#[actix::test]
async fn facts_are_told_as_they_become_durable_and_fold_to_the_response() {
    let puppet = PuppetProvider::default();
    let (antiphon, ada) = node(&puppet).await;
    let (to, mut told) = listener();
    let start = StartResponse { user: ada.id(), request: question(), facts: Some(to) };
    let id = antiphon.addr().send(start).await.unwrap().unwrap();
    answer(&puppet, &["one ", "two ", "three"]).await;
    let facts = all(&mut told, 0).await;
    let (mut transcript, mut events) = (Transcript::new(id), Vec::new());
    facts.iter().cloned().for_each(|fact| transcript.apply(fact, &mut events));
    let stored = ada.retrieve(id).await.unwrap();
    assert_eq!(transcript.response().as_deref(), Some(&stored));
    assert_eq!((stored.status, stored.output_text().as_str()), (Status::Completed, "one two three"));
    // And again, long after, from anywhere.
    for from in 0..=facts.len() {
        assert_eq!(read(&antiphon, (ada.id(), id), from as u64).await, facts[from..]);
    }
}

#[actix::test]
async fn a_cancel_is_a_message_too() {
    let puppet = PuppetProvider::default();
    let (antiphon, ada) = node(&puppet).await;
    let (to, mut told) = listener();
    let start = StartResponse { user: ada.id(), request: question(), facts: Some(to) };
    let id = antiphon.addr().send(start).await.unwrap().unwrap();
    let call = puppet.asked().await;
    call.open();
    call.text("one");
    let cancel = CancelResponse { user: ada.id(), id };
    let outcome = antiphon.addr().send(cancel).await.unwrap().unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    call.closed().await;
    let facts = all(&mut told, 0).await;
    assert!(facts.iter().any(|fact| matches!(fact, Fact::CancelRequested { .. })), "{facts:?}");
    let stranger = CancelResponse { user: antiphon.user_named("eve").await.unwrap().id(), id };
    assert_eq!(antiphon.addr().send(stranger).await.unwrap().unwrap_err(), Refusal::NotFound);
}

/// The last word, which must not be that it ended.
async fn broken_off(told: &mut UnboundedReceiver<CommittedFacts>) -> (u64, Interruption) {
    loop {
        match told.recv().await.unwrap() {
            CommittedFacts::Next { .. } => {}
            CommittedFacts::End { .. } => unreachable!("it did not end"),
            CommittedFacts::BrokenOff { next, why, .. } => return (next, why),
        }
    }
}

/// A listener that stops when it is told something.
struct Fickle;

impl Actor for Fickle {
    type Context = Context<Self>;
}

impl Handler<CommittedFacts> for Fickle {
    type Result = ();

    fn handle(&mut self, _: CommittedFacts, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[actix::test]
async fn a_recipient_that_is_gone_is_a_client_that_left() {
    let puppet = PuppetProvider::default();
    let antiphon = builder(&puppet)
        .responses(ResponseOptions { disconnect: DisconnectMode::Cancel, ..options() })
        .start()
        .unwrap();
    let ada = antiphon.user_named("ada").await.unwrap();
    let fickle = start(Fickle).recipient();
    let start = StartResponse { user: ada.id(), request: question(), facts: Some(fickle) };
    let id = antiphon.addr().send(start).await.unwrap().unwrap();
    let call = puppet.asked().await;
    call.open();
    call.closed().await;
    let response = ada.events(id, 0).await.unwrap().ending().await.unwrap();
    assert_eq!(response.status, Status::Incomplete);
}

#[actix::test]
async fn a_recipient_that_dies_while_nothing_happens_has_left_too() {
    let puppet = PuppetProvider::default();
    let antiphon = builder(&puppet)
        .responses(ResponseOptions { disconnect: DisconnectMode::Cancel, ..impatient() })
        .start()
        .unwrap();
    let ada = antiphon.user_named("ada").await.unwrap();
    let listener = start(Fickle);
    let begin = StartResponse { user: ada.id(), request: question(), facts: Some(listener.clone().recipient()) };
    antiphon.addr().send(begin).await.unwrap().unwrap();
    let call = puppet.asked().await;
    // The provider says nothing at all.
    listener.do_send(CommittedFacts::End { response: ResponseId::new() });
    call.closed().await;
}

/// A listener that takes for ever.
struct Stuck(UnboundedSender<CommittedFacts>);

impl Actor for Stuck {
    type Context = Context<Self>;
}

impl Handler<CommittedFacts> for Stuck {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, told: CommittedFacts, _: &mut Self::Context) -> Self::Result {
        let is_last = told.end().is_none() || matches!(told, CommittedFacts::BrokenOff { .. });
        self.0.send(told).unwrap();
        if is_last { Box::pin(async {}) } else { Box::pin(std::future::pending()) }
    }
}

#[actix::test]
async fn a_recipient_that_takes_for_ever_is_told_no_more() {
    let puppet = PuppetProvider::default();
    let client_stall_timeout = Duration::from_millis(50);
    let options = ResponseOptions { disconnect: DisconnectMode::Cancel, client_stall_timeout, ..impatient() };
    let antiphon = builder(&puppet).responses(options).start().unwrap();
    let ada = antiphon.user_named("ada").await.unwrap();
    let (tell, mut told) = unbounded_channel();
    let facts = Some(start(Stuck(tell)).recipient());
    let begin = StartResponse { user: ada.id(), request: question(), facts };
    antiphon.addr().send(begin).await.unwrap().unwrap();
    puppet.asked().await.closed().await;
    assert_eq!(broken_off(&mut told).await, (0, Interruption::Stalled));
}

#[actix::test]
async fn whoever_ends_the_reader_the_last_word_is_said() {
    for (fault, refusal) in [(Some(Fault::Panic), Refusal::Internal), (None, Refusal::Draining)] {
        let puppet = PuppetProvider::default();
        let (antiphon, ada) = node(&puppet).await;
        let (to, mut told) = listener();
        let begin = StartResponse { user: ada.id(), request: question(), facts: Some(to) };
        let id = antiphon.addr().send(begin).await.unwrap().unwrap();
        let _call = puppet.asked().await;
        match fault {
            Some(fault) => assert_eq!(antiphon.roster().inflict(Label::of(Role::FactReader, id), fault).await, 1),
            None => drop((antiphon, ada)),
        }
        assert_eq!(broken_off(&mut told).await.1, Interruption::Refused(refusal));
    }
}

/// A provider whose author made a mistake.
#[derive(Debug)]
struct Broken;

impl Provider for Broken {
    fn open(&self, _: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        unreachable!("it is not asked")
    }

    fn unsupported(&self, _: &Request) -> Option<&'static str> {
        std::panic::resume_unwind(Box::new("a mistake"))
    }
}

#[actix::test]
async fn a_panic_in_somebodys_provider_costs_one_answer_and_not_the_address() {
    let puppet = PuppetProvider::default();
    let broken = Model::new("broken", Target::new("broken", "m"));
    let antiphon = builder(&puppet).provider("broken", Broken).model(broken).start().unwrap();
    let ada = antiphon.user_named("ada").await.unwrap();
    let addr = antiphon.addr();
    let (to, mut told) = listener();
    let begin = StartResponse { user: ada.id(), request: question(), facts: Some(to) };
    addr.send(begin).await.unwrap().unwrap();
    let doomed = StartResponse { user: ada.id(), request: CreateResponse::text("broken", "Why?"), facts: None };
    let error = addr.send(doomed).await.unwrap().unwrap_err();
    assert_eq!(error, Refusal::Internal);
    answer(&puppet, &["Because."]).await;
    assert!(!all(&mut told, 0).await.is_empty());
}

#[actix::test]
async fn what_cannot_be_told_is_refused_and_nothing_begins() {
    let puppet = PuppetProvider::default();
    let (antiphon, ada) = node(&puppet).await;
    let (to, _told) = listener();
    let request = CreateResponse { store: Some(false), ..question() };
    let start = StartResponse { user: ada.id(), request, facts: Some(to.clone()) };
    let refused = antiphon.addr().send(start).await.unwrap().unwrap_err();
    assert!(matches!(&refused, Refusal::Invalid(violation) if violation.param == "store"), "{refused:?}");
    let start = StartResponse { user: ada.id(), request: CreateResponse::text("n", "Why?"), facts: None };
    let refused = antiphon.addr().send(start).await.unwrap().unwrap_err();
    assert!(matches!(&refused, Refusal::Invalid(violation) if violation.param == "model"), "{refused:?}");
    let missing = ReadFacts { user: ada.id(), id: ResponseId::new(), from: 0, to };
    assert_eq!(antiphon.addr().send(missing).await.unwrap().unwrap_err(), Refusal::NotFound);
    assert_eq!(puppet.unheard(), 0);
}

#[actix::test]
async fn in_the_background_nobody_needs_to_listen() {
    let puppet = PuppetProvider::default();
    let (antiphon, ada) = node(&puppet).await;
    let request = CreateResponse { background: Some(true), ..question() };
    let start = StartResponse { user: ada.id(), request, facts: None };
    let id = antiphon.addr().send(start).await.unwrap().unwrap();
    answer(&puppet, &["Because."]).await;
    let response = ada.events(id, 0).await.unwrap().ending().await.unwrap();
    assert_eq!(response.output_text(), "Because.");
}
