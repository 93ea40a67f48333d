//! A store that tells the rest of a program how each response ended: `cargo run --example custom_store`.
#![expect(clippy::print_stdout, reason = "an example that talks")]

use std::{error::Error, sync::Arc};

use antiphon::protocol::CreateResponse;
use antiphon::store::{self, CommitOutcome, EndingRecord, GroupCommit, JournalEntry, MemoryStore, Store};
use antiphon::{Antiphon, admission::Model, domain::Target, provider::Eliza, vault::KeyRing, vault::Vault};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Commits to another store, and reports each ending once it is durable. All that it sees of content is ciphertext.
#[derive(Debug)]
pub(crate) struct ReportingCommit {
    pub(crate) inner: Arc<dyn GroupCommit>,
    pub(crate) endings: UnboundedSender<EndingRecord>,
}

#[async_trait::async_trait]
impl GroupCommit for ReportingCommit {
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, store::Error> {
        let outcomes = self.inner.commit(group).await?;
        for (entry, outcome) in group.iter().zip(&outcomes) {
            if let (JournalEntry::End(ending), CommitOutcome::Committed) = (entry, outcome) {
                let _nobody_listens = self.endings.send(EndingRecord::clone(ending));
            }
        }
        Ok(outcomes)
    }

    async fn ping(&self) -> Result<(), store::Error> {
        self.inner.ping().await
    }
}

/// The store with its commits reported; all its other parts stay as they are.
pub(crate) fn reporting(store: Store, endings: UnboundedSender<EndingRecord>) -> Store {
    let inner = Arc::clone(&store.group_commit);
    Store { group_commit: Arc::new(ReportingCommit { inner, endings }), ..store }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (sender, mut endings) = unbounded_channel();
    let memory = Arc::new(MemoryStore::new());
    let vault = Vault::new(KeyRing::generate()?, memory.clone());
    let antiphon = Antiphon::builder(reporting(Store::from(memory), sender), vault)
        .provider("local", Eliza::default())
        .model(Model::new("eliza", Target::new("local", "eliza")))
        .start()?;
    let ada = antiphon.user_named("ada").await?;
    let response = ada.respond(CreateResponse::text("eliza", "I feel calm.")).await?.ending().await?;
    let ending = endings.recv().await.ok_or("the store is gone")?;
    let tokens: u64 = ending.usage.iter().map(|turn| turn.usage.output_tokens).sum();
    let same = response.id == ending.id;
    println!("{}, {tokens} output tokens; the same for its client: {same}", ending.status.as_str());
    Ok(())
}
