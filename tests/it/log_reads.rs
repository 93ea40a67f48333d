//! Logs are read by threads of their own, each once as long as its outcome is remembered.

use antiphon::{
    Refusal,
    actors::{ActorRole, DeliveryMode, Label, supervision::Fault},
    domain::{DisconnectPolicy, ResponseOptions, RunPlan, View},
    protocol::{ResponseId, Status},
    store::ResponseStore,
    testkit::{TestNode, impatient},
};

/// A response that says that and completes.
async fn completed(node: &TestNode, text: &str) -> ResponseId {
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text(text);
    call.finish();
    drop(call);
    client.read_all().await;
    client.id
}

#[tokio::test]
async fn who_asks_again_how_a_response_ended_costs_no_fold() {
    let node = TestNode::start(impatient()).await;
    let id = completed(&node, "Hello").await;
    let gone = Label::of(ActorRole::ResponseSupervisor, id);
    node.antiphon.roster().wait_until(|live| !live.contains(&gone)).await;
    let before = node.antiphon.folds();
    for _ in 0..5 {
        let cancelled = node.antiphon.cancel(node.user, id).await;
        assert_eq!(cancelled.err(), Some(Refusal::AlreadyEnded(Status::Completed)));
        let found = node.antiphon.retrieve(node.user, id).await.unwrap();
        assert_eq!((found.status, found.output.len()), (Status::Completed, 1));
        let ending = node.antiphon.subscribe(node.user, id, DeliveryMode::Ending).await.unwrap();
        assert_eq!(ending.id, id);
    }
    assert_eq!(node.antiphon.folds() - before, 1);
    let other = node.add_user("other").await;
    assert_eq!(node.antiphon.retrieve(other, id).await.err(), Some(Refusal::NotFound), "it is another user's");
    node.antiphon.delete(node.user, id).await.unwrap();
    assert_eq!(node.antiphon.retrieve(node.user, id).await.err(), Some(Refusal::NotFound));
}

#[tokio::test]
async fn without_room_for_outcomes_each_look_is_a_fold() {
    let node = TestNode::start(ResponseOptions { outcome_cache: 0, ..impatient() }).await;
    let id = completed(&node, "Hello").await;
    let before = node.antiphon.folds();
    for _ in 0..3 {
        node.antiphon.retrieve(node.user, id).await.unwrap();
    }
    assert_eq!(node.antiphon.folds() - before, 3);
}

#[tokio::test]
async fn no_actor_reads_a_log_on_its_own_thread() {
    let node = TestNode::start(ResponseOptions { frame_buffer_bytes: 1024, ..impatient() }).await;
    let plan = RunPlan { disconnect: DisconnectPolicy::Continue, ..node.plan() };
    let client = node.respond(plan).await;
    let call = node.provider.asked().await;
    call.open();
    (0..100).for_each(|_| call.text("far more than the frame buffer holds "));
    call.wait_until_heard(101).await;
    // One that joins late, one that is settled, one that is cancelled, replayed and read again.
    let mut late = node.replay(client.id).await;
    late.read_until("output_text.delta").await;
    node.antiphon.roster().inflict(Label::of(ActorRole::ResponseSupervisor, client.id), Fault::Panic).await;
    late.read_all().await;
    assert!(node.store.response(client.id).await.unwrap().is_some_and(|row| row.status == Status::Failed));
    node.antiphon.cancel(node.user, client.id).await.unwrap_err();
    node.antiphon.retrieve(node.user, client.id).await.unwrap();
    let mode = DeliveryMode::Events { view: View::default(), from: 0 };
    assert_eq!(node.antiphon.subscribe(node.user, client.id, mode).await.unwrap().id, client.id);
    node.replay(client.id).await.read_all().await;
    assert_eq!(node.store.log_readers().into_iter().collect::<Vec<_>>(), ["antiphon-logs"]);
}
