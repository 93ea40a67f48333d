//! A model of your own behind the whole machinery, under plain tokio: `cargo run --example custom_provider`.
#![expect(clippy::print_stdout, reason = "an example that talks")]

use std::{error::Error, sync::Arc};

use antiphon::Antiphon;
use antiphon::admission::Model;
use antiphon::domain::{FinishReason, Target};
use antiphon::protocol::{CreateResponse, Item, ResponseEvent};
use antiphon::provider::{self, Provider, ProviderEvent, ProviderRequest};
use antiphon::store::MemoryStore;
use antiphon::vault::{KeyRing, Vault};
use futures_util::StreamExt as _;
use futures_util::stream::{self, LocalBoxStream};

/// Says everything again, louder.
#[derive(Debug)]
struct Echo;

impl Provider for Echo {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, provider::Error>> {
        let said = match request.prompt.items.last() {
            Some(Item::Message(message)) => message.content.iter().map(|part| part.text()).collect(),
            _ => String::new(),
        };
        let words: Vec<String> = said.split_inclusive(' ').map(str::to_uppercase).collect();
        let text = |text| ProviderEvent::Text { text, logprobs: Vec::new() };
        // Each batch is what came at once. Without `Finished` the response would end as failed: it was cut.
        let opened = [vec![ProviderEvent::Opened { provider_response_id: None }]];
        let said = words.into_iter().map(move |word| vec![text(word)]);
        let finished = [vec![ProviderEvent::Finished(FinishReason::Stop)]];
        stream::iter(opened.into_iter().chain(said).chain(finished).map(Ok)).boxed_local()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(MemoryStore::new());
    let vault = Vault::new(KeyRing::generate()?, store.clone());
    let antiphon = Antiphon::builder(store, vault)
        .provider("here", Echo)
        .model(Model::new("echo", Target::new("here", "echo")))
        .start()?;
    let ada = antiphon.user_named("ada").await?;

    // Durable when this returns. Its events can be read as they come, and again at any time.
    let mut events = ada.respond(CreateResponse::text("echo", "is anybody there?")).await?;
    while let Some(event) = events.next().await {
        if let ResponseEvent::OutputTextDelta { delta, sequence_number, .. } = event? {
            println!("event {sequence_number}: {delta}");
        }
    }
    let response = ada.retrieve(events.id()).await?;
    println!("{}: {}", response.status.as_str(), response.output_text());
    Ok(())
}
