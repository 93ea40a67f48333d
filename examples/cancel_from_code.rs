//! Starting, hearing and cancelling a response by messages between actors: `cargo run --example cancel_from_code`.
#![expect(clippy::print_stdout, reason = "an example that talks")]

use std::{error::Error, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use antiphon::actors::supervision::{Roster, spawn};
use antiphon::admission::Model;
use antiphon::domain::{Fact, ProviderEvent, Target, Transcript};
use antiphon::protocol::{CreateResponse, ResponseId, UserId};
use antiphon::provider::Eliza;
use antiphon::store::MemoryStore;
use antiphon::vault::{KeyRing, Vault};
use antiphon::{Antiphon, CancelResponse, CommittedFacts, Dispatcher, StartResponse};
use tokio::sync::oneshot;

/// Hears the facts of a response and has it cancelled at the third word.
struct Listener {
    node: actix::Addr<Dispatcher>,
    user: UserId,
    transcript: Option<Transcript>,
    words: usize,
    done: Option<oneshot::Sender<ResponseId>>,
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<CommittedFacts> for Listener {
    type Result = ();

    fn handle(&mut self, told: CommittedFacts, _: &mut Self::Context) {
        let (id, mut events) = (told.response(), Vec::new());
        if let CommittedFacts::Next { facts, .. } = told {
            for fact in facts {
                self.words += usize::from(is_text(&fact));
                // The same fold that every client's stream comes out of.
                self.transcript.get_or_insert_with(|| Transcript::new(id)).apply(fact, &mut events);
            }
            events.iter().for_each(|event| println!("{} {}", event.sequence_number(), event.name()));
            if self.words >= 3 {
                // The answer, which comes when the ending is durable, is of no interest here: the facts tell.
                self.node.do_send(CancelResponse { user: self.user, id });
            }
        } else if let Some(done) = self.done.take() {
            let _nobody_waits = done.send(id);
        }
    }
}

fn is_text(fact: &Fact) -> bool {
    matches!(fact, Fact::Provider { event: ProviderEvent::Text { .. }, .. })
}

#[actix::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(MemoryStore::new());
    let vault = Vault::new(KeyRing::generate()?, store.clone());
    let antiphon = Antiphon::builder(store, vault)
        .provider("local", Eliza::new(Duration::from_millis(300)))
        .model(Model::new("eliza", Target::new("local", "eliza")))
        .start()?;
    let (node, user) = (antiphon.addr(), antiphon.user_named("ada").await?.id());
    let (done, heard_all) = oneshot::channel();
    let listener = Listener { node: node.clone(), user, transcript: None, words: 0, done: Some(done) };
    let listener = spawn(&Roster::new(), "listener", |_| listener, |_| {});
    let facts = listener.addr().clone().recipient();
    let request = CreateResponse::text("eliza", "I remember the long summers at the sea.");
    node.send(StartResponse { user, request, facts: Some(facts) }).await??;
    let response = antiphon.user(user).retrieve(heard_all.await?).await?;
    println!("{}: {}", response.status.as_str(), response.output_text());
    Ok(())
}
