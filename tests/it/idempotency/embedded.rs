//! The same in a program that embeds the node.

use std::{sync::Arc, time::Duration};

use antiphon::{
    Refusal,
    actors::{ClientStream, DeliveryMode, ResponsePhase},
    domain::{DisconnectPolicy, Idempotency, ResponseOptions, RunPlan, View},
    protocol::Status,
    provider::Error,
    testkit::TestNode,
};

const EVENTS: DeliveryMode = DeliveryMode::Events { view: View { include_obfuscation: false }, from: 0 };

fn request(node: &TestNode) -> Idempotency {
    node.antiphon.idempotency(node.user, "k", b"a request")
}

fn with_key(node: &TestNode) -> RunPlan {
    RunPlan { idempotency: Some(request(node)), ..node.plan() }
}

async fn status(mut reader: ClientStream) -> Status {
    let ended = reader.phase.wait_for(|phase| matches!(phase, ResponsePhase::Ended(_))).await.unwrap().clone();
    match ended {
        ResponsePhase::Ended(outcome) => outcome.status,
        ResponsePhase::Opening | ResponsePhase::Opened | ResponsePhase::Unavailable => {
            unreachable!("it was waited for")
        }
    }
}

#[tokio::test]
async fn a_second_response_with_the_key_is_refused_and_leaves_nothing() {
    let node = TestNode::start(ResponseOptions::default()).await;
    assert_eq!(node.antiphon.claimed(node.user, &request(&node)).await, Ok(None));
    let first = node.antiphon.respond(with_key(&node), DeliveryMode::Ending).await.unwrap();
    let call = node.provider.asked().await;
    for background in [false, true, false] {
        let mut second = with_key(&node);
        Arc::make_mut(&mut second.request).background = background;
        let id = second.id;
        assert_eq!(
            node.antiphon.respond(second, DeliveryMode::Ending).await.unwrap_err(),
            Refusal::IdempotencyKeyInUse
        );
        assert_eq!(node.antiphon.retrieve(node.user, id).await.unwrap_err(), Refusal::NotFound);
    }
    assert_eq!(node.provider.unheard(), 0, "only the first one is asked for");
    assert_eq!(node.antiphon.claimed(node.user, &request(&node)).await, Ok(Some(first.id)));
    let another = node.antiphon.idempotency(node.user, "k", b"another request");
    assert_eq!(node.antiphon.claimed(node.user, &another).await, Err(Refusal::IdempotencyKeyReused));
    let second = node.antiphon.attach(node.user, first.id, DeliveryMode::Ending).await.unwrap().unwrap();
    call.open();
    call.text("Hello");
    call.finish();
    drop(call);
    assert_eq!((status(first).await, status(second).await), (Status::Completed, Status::Completed));
}

#[tokio::test]
async fn a_key_of_another_user_or_request_has_other_digests() {
    let node = TestNode::start(ResponseOptions::default()).await;
    let other = node.add_user("another").await;
    let digests = |user, key, body: &[u8]| node.antiphon.idempotency(user, key, body);
    let mine = digests(node.user, "k", b"body");
    assert_eq!(mine, digests(node.user, "k", b"body"));
    let bodies = digests(node.user, "k", b"bodz");
    assert!(bodies.key == mine.key && bodies.fingerprint != mine.fingerprint);
    for (user, key) in [(other, "k"), (node.user, "l")] {
        let theirs = digests(user, key, b"body");
        assert!(theirs.key != mine.key && theirs.fingerprint != mine.fingerprint);
    }
}

#[tokio::test]
async fn a_client_that_has_no_id_yet_comes_back_by_its_key_in_the_grace_period() {
    let node = TestNode::start(ResponseOptions::default()).await;
    let disconnect = DisconnectPolicy::Grace(Duration::from_secs(3_600));
    let reader = node.antiphon.respond(RunPlan { disconnect, ..with_key(&node) }, DeliveryMode::Ending).await.unwrap();
    let call = node.provider.asked().await;
    let id = reader.id;
    drop(reader);
    call.open();
    call.text("Hello");
    // Events go on being read: it was not ended when the client left.
    call.wait_until_heard(2).await;
    let again = node.antiphon.attach(node.user, id, DeliveryMode::Ending).await.unwrap().unwrap();
    call.finish();
    drop(call);
    assert_eq!(status(again).await, Status::Completed);
}

#[tokio::test]
async fn a_key_is_given_back_unless_a_client_was_told_of_a_success() {
    for told in [false, true] {
        let node = TestNode::start(ResponseOptions::default()).await;
        let reader = node.antiphon.respond(with_key(&node), EVENTS).await.unwrap();
        let call = node.provider.asked().await;
        if told {
            assert!(reader.begin_success());
        }
        call.fail(Error::Unreachable);
        let id = reader.id;
        assert_eq!(status(reader).await, Status::Failed);
        let claimed = node.antiphon.claimed(node.user, &request(&node)).await;
        assert_eq!(claimed, Ok(told.then_some(id)));
    }
}

#[tokio::test]
async fn of_a_failure_without_a_word_no_client_is_told_as_of_a_success() {
    let node = TestNode::start(ResponseOptions::default()).await;
    let mut reader = node.antiphon.respond(with_key(&node), EVENTS).await.unwrap();
    let call = node.provider.asked().await;
    call.open();
    reader.phase.wait_for(|phase| matches!(phase, ResponsePhase::Opened)).await.unwrap();
    // From the opening on nothing is on its way but the ending, which can't become durable.
    while node.store.commits() < 2 {
        tokio::task::yield_now().await;
    }
    node.store.hold_commits();
    call.fail(Error::Closed);
    node.store.commit_held().await;
    assert!(!reader.begin_success());
    let joined = node.antiphon.attach(node.user, reader.id, EVENTS).await.unwrap().unwrap();
    assert!(!joined.begin_success());
    node.store.release_commits();
    assert_eq!((status(reader).await, status(joined).await), (Status::Failed, Status::Failed));
    assert_eq!(node.antiphon.claimed(node.user, &request(&node)).await, Ok(None));
}

#[tokio::test]
async fn a_response_whose_admission_is_durable_and_unconfirmed_can_be_attached_to() {
    let node = TestNode::start(ResponseOptions::default()).await;
    // The commit is made and its answer lost: the supervisor still waits.
    node.store.fail_after_commit(1);
    let plan = with_key(&node);
    let admitted = node.antiphon.respond(plan, DeliveryMode::Ending);
    let attached = async {
        let id = loop {
            if let Some(id) = node.antiphon.claimed(node.user, &request(&node)).await.unwrap() {
                break id;
            }
            tokio::task::yield_now().await;
        };
        node.store.hold_commits();
        let reader = node.antiphon.attach(node.user, id, DeliveryMode::Ending).await;
        node.store.release_commits();
        reader
    };
    let (first, second) = tokio::join!(admitted, attached);
    let (first, second) = (first.unwrap(), second.unwrap().unwrap());
    let call = node.provider.asked().await;
    call.open();
    call.text("Hello");
    call.finish();
    drop(call);
    assert_eq!((status(first).await, status(second).await), (Status::Completed, Status::Completed));
}
