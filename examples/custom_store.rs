//! A store that tells the rest of a program how each response ended: `cargo run --example custom_store`.
#![expect(clippy::print_stdout, reason = "an example that talks")]

use std::{error::Error, sync::Arc, time::Duration};

use antiphon::protocol::{CreateResponse, ResponseId, UserId};
use antiphon::store::{
    self, CommitOutcome, EndingRecord, Entry, IdempotencyRecord, ItemPage, ItemQuery, ResponseRow, Segment,
};
use antiphon::{Antiphon, admission::Model, domain::Target, domain::Timestamp, provider::Eliza};
use antiphon::{store::MemoryStore, store::Store, vault::KeyRing, vault::Vault};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Keeps everything in memory, and tells of each ending once it is durable. All that it sees of content is ciphertext.
#[derive(Debug)]
pub(crate) struct TellingStore {
    pub(crate) kept: Arc<MemoryStore>,
    pub(crate) endings: UnboundedSender<EndingRecord>,
}

#[async_trait::async_trait]
impl Store for TellingStore {
    async fn commit(&self, group: &[Entry]) -> Result<Vec<CommitOutcome>, store::Error> {
        let outcomes = self.kept.commit(group).await?;
        for (entry, outcome) in group.iter().zip(&outcomes) {
            if let (Entry::End(ending), CommitOutcome::Committed) = (entry, outcome) {
                let _nobody_listens = self.endings.send(EndingRecord::clone(ending));
            }
        }
        Ok(outcomes)
    }
    async fn response(&self, id: ResponseId) -> Result<Option<ResponseRow>, store::Error> {
        self.kept.response(id).await
    }
    async fn segments(&self, id: ResponseId, from: u64, limit: u32) -> Result<Vec<Segment>, store::Error> {
        self.kept.segments(id, from, limit).await
    }
    async fn items(&self, query: ItemQuery) -> Result<ItemPage, store::Error> {
        self.kept.items(query).await
    }
    async fn chain(&self, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, store::Error> {
        self.kept.chain(id, limit).await
    }
    async fn next_epoch(&self, node: &str, lease: Duration) -> Result<i64, store::Error> {
        self.kept.next_epoch(node, lease).await
    }
    async fn renew_lease(&self, node: &str, epoch: i64, lease: Duration) -> Result<bool, store::Error> {
        self.kept.renew_lease(node, epoch, lease).await
    }
    async fn orphaned(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<ResponseRow>, store::Error> {
        self.kept.orphaned(node, epoch, limit).await
    }
    async fn idempotency_key(&self, user: UserId, key: &[u8; 32]) -> Result<Option<IdempotencyRecord>, store::Error> {
        self.kept.idempotency_key(user, key).await
    }
    async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, store::Error> {
        self.kept.forget_idempotency_keys(before).await
    }
    async fn ping(&self) -> Result<(), store::Error> {
        self.kept.ping().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (endings, mut told) = unbounded_channel();
    let kept = Arc::new(MemoryStore::new());
    let vault = Vault::new(KeyRing::generate()?, kept.clone());
    let antiphon = Antiphon::builder(Arc::new(TellingStore { kept, endings }), vault)
        .provider("local", Eliza::default())
        .model(Model::new("eliza", Target::new("local", "eliza")))
        .start()?;
    let ada = antiphon.user_named("ada").await?;
    let heard = ada.respond(CreateResponse::text("eliza", "I feel calm.")).await?.ending().await?;
    let ending = told.recv().await.ok_or("the store is gone")?;
    let tokens: u64 = ending.usage.iter().map(|turn| turn.usage.output_tokens).sum();
    println!("{}, {tokens} output tokens; the same for its client: {}", ending.status.as_str(), heard.id == ending.id);
    Ok(())
}
