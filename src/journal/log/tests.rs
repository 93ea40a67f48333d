#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::{Log, LogError};
use crate::actors::{DeliveryMode, Emission};
use crate::domain::ResponseOptions;
use crate::domain::View;
use crate::protocol::Status;
use crate::refusal::Refusal;
use crate::store::ResponseStore as _;
use crate::testkit::{TestClient, TestNode};

async fn log_of(node: &TestNode, client: &TestClient) -> Log {
    let row = node.store.response(client.id).await.unwrap().unwrap();
    let key = node.vault.user_key(node.user).await.unwrap().response_key(row.id);
    Log::new(node.store.clone(), key, row.id).of_row(&row)
}

#[tokio::test]
async fn a_log_that_has_lost_its_end_is_never_a_shorter_answer() {
    let node = TestNode::start(ResponseOptions::default()).await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("Something that was said.");
    client.read_until("Something that was said.").await;
    let written = log_of(&node, &client).await.page(0).await.unwrap().len() as u64;
    let seen = client.frames.len() as u64;
    call.text("And what was said at last.");
    call.finish();
    drop(call);
    client.read_all().await;
    let log = log_of(&node, &client).await;
    assert_eq!(log.fold().await.unwrap().0.status(), Status::Completed);
    node.store.lose_segments(written);
    assert!(matches!(log.fold().await, Err(LogError::Gap)));
    let refused = node.antiphon.retrieve(node.user, client.id).await.unwrap_err();
    assert_eq!(refused, Refusal::Damaged(client.id));
    let whole = DeliveryMode::Events { view: View::default(), from: 0 };
    let mut replay = node.antiphon.subscribe(node.user, client.id, whole).await.unwrap();
    while let Some(emission) = replay.emissions.recv().await {
        assert!(matches!(emission, Emission::Frame { sequence_number, .. } if sequence_number < seen), "{emission:?}");
    }
}

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
