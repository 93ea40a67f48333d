//! The library inside other programs.

use std::{sync::Arc, time::Duration};

use antiphon::{
    Antiphon, Builder, Refusal, StartError, User,
    admission::Model,
    domain::{Offence, ResponseOptions, Target},
    protocol::{CreateResponse, ResponseEvent, Status},
    store::MemoryStore,
    testkit::PuppetProvider,
    vault::{KeyRing, Vault},
};

mod features;
mod life;
mod messages;

/// How long something may take that happens at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node in memory whose one model, `m`, is the puppet's.
fn builder(puppet: &PuppetProvider) -> Builder {
    let store = Arc::new(MemoryStore::new());
    let vault = Vault::new(KeyRing::generate().unwrap(), store.clone());
    let model = Model::new("m", Target::new("puppet", "m"));
    Antiphon::builder(store, vault).provider("puppet", puppet.clone()).model(model).responses(options())
}

/// The default options, with one thread for all responses.
fn options() -> ResponseOptions {
    ResponseOptions { arbiters: 1, ..ResponseOptions::default() }
}

/// The node, and somebody who uses it.
async fn node(puppet: &PuppetProvider) -> (Antiphon, User) {
    let antiphon = builder(puppet).start().unwrap();
    let ada = antiphon.user_named("ada").await.unwrap();
    (antiphon, ada)
}

/// The provider answers in these words.
async fn answer(puppet: &PuppetProvider, words: &[&str]) {
    let call = puppet.asked().await;
    call.open();
    words.iter().for_each(|word| call.text(word));
    call.finish();
}

fn question() -> CreateResponse {
    CreateResponse::text("m", "Why?")
}

#[tokio::test]
async fn a_request_becomes_events_that_can_be_read_again() {
    let puppet = PuppetProvider::default();
    let (_antiphon, ada) = node(&puppet).await;
    let mut events = ada.respond(question()).await.unwrap();
    answer(&puppet, &["Be", "cause."]).await;
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event.unwrap());
    }
    let numbers: Vec<_> = seen.iter().map(ResponseEvent::sequence_number).collect();
    assert_eq!(numbers, (0..seen.len() as u64).collect::<Vec<_>>());
    assert!(seen.last().unwrap().is_terminal());
    let response = ada.retrieve(events.id()).await.unwrap();
    assert_eq!((response.status, response.output_text().as_str()), (Status::Completed, "Because."));
    assert_eq!(seen.last().unwrap().response(), Some(&response));
    let mut again = ada.events(events.id(), 3).await.unwrap();
    let mut rest = Vec::new();
    while let Some(event) = again.next().await {
        rest.push(event.unwrap());
    }
    assert_eq!(rest, seen[3..]);
}

#[tokio::test]
async fn another_user_sees_nothing_of_it() {
    let puppet = PuppetProvider::default();
    let (antiphon, ada) = node(&puppet).await;
    let events = ada.respond(question()).await.unwrap();
    let eve = antiphon.user_named("eve").await.unwrap();
    assert_ne!(eve.id(), ada.id());
    assert_eq!(eve.events(events.id(), 0).await.unwrap_err(), Refusal::NotFound);
    assert_eq!(eve.retrieve(events.id()).await.unwrap_err(), Refusal::NotFound);
    assert!(eve.cancel(events.id()).await.is_err());
    assert_eq!(antiphon.user_named("ada").await.unwrap().id(), ada.id());
}

#[tokio::test]
async fn a_request_that_cannot_be_run_calls_no_provider() {
    let puppet = PuppetProvider::default();
    let (_antiphon, ada) = node(&puppet).await;
    let unknown = ada.respond(CreateResponse::text("n", "Why?")).await.unwrap_err();
    let is_unknown = |refusal: &Refusal| matches!(refusal, Refusal::Invalid(v) if v.offence == Offence::UnknownModel);
    assert!(is_unknown(&unknown) && !unknown.is_retryable(), "{unknown:?}");
    let hot = CreateResponse { temperature: Some(9.0), ..question() };
    let refused = ada.respond(hot).await.unwrap_err();
    assert!(refused.to_string().contains("temperature"), "{refused}");
    assert_eq!(puppet.unheard(), 0);
}

#[tokio::test]
async fn a_model_at_a_provider_that_is_not_there_is_told_at_the_start() {
    let missing = Model::new("n", Target::new("nowhere", "n"));
    let error = builder(&PuppetProvider::default()).model(missing).start().unwrap_err();
    assert!(
        matches!(&error, StartError::UnknownProvider { model, provider } if (model.as_str(), provider.as_str()) == ("n", "nowhere"))
    );
    assert_eq!(error.to_string(), "the model 'n' is at a provider 'nowhere', which is not there");
}

#[test]
fn options_that_no_node_can_work_with_are_told_at_the_start() {
    let refused = |wrong: fn(&mut ResponseOptions)| {
        let mut options = ResponseOptions::default();
        wrong(&mut options);
        builder(&PuppetProvider::default()).responses(options).start().unwrap_err().to_string()
    };
    for (wrong, told) in [
        (|options: &mut ResponseOptions| options.heartbeat = Duration::ZERO) as fn(&mut ResponseOptions),
        |options| options.hang_after = Duration::ZERO,
        |options| options.lease = Duration::ZERO,
        |options| options.credit_bytes = 0,
        |options| options.emission_buffer = 0,
    ]
    .into_iter()
    .zip(["heartbeat", "hang_after", "lease", "credit_bytes", "emission_buffer"])
    {
        assert_eq!(refused(wrong), format!("the option '{told}' must be more than zero"));
    }
    let too_large = "the option 'emission_buffer' is more than a channel can hold";
    assert_eq!(refused(|options| options.emission_buffer = usize::MAX), too_large);
}
