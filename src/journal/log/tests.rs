#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::{Log, LogError};
use crate::domain::ResponseOptions;
use crate::store::ResponseStore as _;
use crate::testkit::TestNode;

#[tokio::test]
async fn a_log_that_is_deleted_after_its_row_was_read_does_not_seem_to_end() {
    let node = TestNode::start(ResponseOptions::default()).await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("Something that was said.");
    call.finish();
    drop(call);
    client.read_all().await;
    let row = node.store.response(client.id).await.unwrap().unwrap();
    let key = node.vault.user_key(node.user).await.unwrap().response_key(row.id);
    let log = Log::new(node.store.clone(), key, row.id).of_row(&row);
    let facts = log.page(0).await.unwrap().len() as u64;
    node.antiphon.delete(node.user, row.id).await.unwrap();
    for from in [0, facts] {
        assert!(matches!(log.page(from).await, Err(LogError::Deleted)), "from {from}");
    }
    assert!(matches!(log.fold().await, Err(LogError::Deleted)));
}

#[tokio::test]
async fn a_log_that_is_deleted_before_it_has_ended_is_told_from_one_that_goes_on() {
    let node = TestNode::start(ResponseOptions::default()).await;
    let client = node.respond(node.plan()).await;
    let row = node.store.response(client.id).await.unwrap().unwrap();
    let key = node.vault.user_key(node.user).await.unwrap().response_key(row.id);
    let log = Log::new(node.store.clone(), key, row.id).of_row(&row);
    assert!(log.fold().await.unwrap().0.ended().is_none());
    node.antiphon.delete(node.user, row.id).await.unwrap();
    assert!(matches!(log.fold().await, Err(LogError::Deleted)));
}
