//! Background responses: they wait for their turn, run without a client, and can be read, cancelled and resumed.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use antiphon::{
    Refusal,
    actors::{DeliveryMode, ProviderOptions},
    domain::{ResponseOptions, RunPlan, View},
    protocol::{Status, UserId},
    provider::GateLimits,
    store::ResponseStore,
    testkit::{TestClient, TestNode},
};

async fn node(running: usize, waiting: usize) -> TestNode {
    TestNode::start(background_limits(running, running, waiting)).await
}

/// So many background responses run, so many of them of one user, and so many wait.
fn background_limits(running: usize, running_per_user: usize, waiting: usize) -> ResponseOptions {
    ResponseOptions {
        background_concurrency: running,
        background_concurrency_per_user: running_per_user,
        background_queue: waiting,
        ..ResponseOptions::default()
    }
}

fn in_background(mut plan: RunPlan) -> RunPlan {
    Arc::make_mut(&mut plan.request).background = true;
    plan
}

async fn status(node: &TestNode, client: &TestClient) -> Status {
    node.antiphon.retrieve(node.user, client.id).await.unwrap().status
}

async fn answer(node: &TestNode) {
    let call = node.provider.asked().await;
    call.open();
    call.text("Hello");
    call.finish();
}

#[tokio::test]
async fn a_background_response_goes_on_without_its_client_and_is_replayed_whole() {
    let node = node(1, 1).await;
    let mut client = node.respond(in_background(node.plan())).await;
    client.read_until("response.created").await;
    let id = client.id;
    drop(client);
    answer(&node).await;
    let mut replay = node.replay(id).await;
    replay.read_all().await;
    let names: Vec<&str> =
        replay.frames.iter().filter_map(|frame| frame.lines().next()?.strip_prefix("event: ")).take(3).collect();
    assert_eq!(names, ["response.created", "response.queued", "response.in_progress"]);
    assert!(
        replay.frames[0].contains(r#""status":"queued""#) && replay.frames[2].contains(r#""status":"in_progress""#)
    );
    assert_eq!((replay.text().as_str(), status(&node, &replay).await), ("Hello", Status::Completed));
}

#[tokio::test]
async fn those_beyond_the_limit_wait_as_queued_and_begin_in_order() {
    let node = node(1, 2).await;
    let mut first = node.respond(in_background(node.plan())).await;
    first.read_until("response.in_progress").await;
    let mut second = node.respond(in_background(node.plan())).await;
    let mut third = node.respond(in_background(node.plan())).await;
    second.read_until("response.queued").await;
    assert_eq!(status(&node, &second).await, Status::Queued);
    let row = node.store.response(second.id).await.unwrap().unwrap();
    assert_eq!(row.status, Status::Queued);
    let refused = node.antiphon.respond(in_background(node.plan()), DeliveryMode::Ending).await;
    assert_eq!(refused.unwrap_err(), Refusal::QueueFull);
    assert_eq!(node.provider.unheard(), 1, "only the first one is asked for");
    for client in [&mut first, &mut second, &mut third] {
        let row = |node: &TestNode, id| {
            let store = node.store.clone();
            async move { store.response(id).await.unwrap().unwrap() }
        };
        client.read_until("response.in_progress").await;
        let call = node.provider.asked().await;
        assert_eq!(row(&node, client.id).await.status, Status::InProgress);
        call.open();
        call.text("Hello");
        call.finish();
        drop(call);
        client.read_all().await;
        assert_eq!(status(&node, client).await, Status::Completed);
    }
}

#[tokio::test]
async fn one_that_waits_is_cancelled_without_ever_being_asked_for() {
    let node = node(1, 2).await;
    let running = node.respond(in_background(node.plan())).await;
    let mut second = node.respond(in_background(node.plan())).await;
    let mut third = node.respond(in_background(node.plan())).await;
    let outcome = node.antiphon.cancel(node.user, second.id).await.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    second.read_all().await;
    assert!(second.frames.last().unwrap().starts_with("event: response.failed\n"));
    answer(&node).await;
    answer(&node).await;
    third.read_all().await;
    assert_eq!(status(&node, &running).await, Status::Completed);
    assert_eq!((status(&node, &third).await, node.provider.unheard()), (Status::Completed, 0));
}

#[tokio::test]
async fn cancel_while_it_runs_hangs_up_and_lets_the_next_one_begin() {
    let node = node(1, 1).await;
    let first = node.respond(in_background(node.plan())).await;
    let call = node.provider.asked().await;
    call.open();
    let mut second = node.respond(in_background(node.plan())).await;
    assert_eq!(node.antiphon.cancel(node.user, first.id).await.unwrap().status, Status::Cancelled);
    call.closed().await;
    answer(&node).await;
    second.read_all().await;
    assert_eq!(status(&node, &second).await, Status::Completed);
}

#[tokio::test]
async fn a_user_with_enough_running_does_not_hold_up_another() {
    let node = TestNode::start(background_limits(2, 1, 4)).await;
    let other = node.add_user("another").await;
    let _first = node.respond(in_background(node.plan())).await;
    let mut second = node.respond(in_background(node.plan())).await;
    let theirs = in_background(RunPlan { user: other, ..node.plan() });
    let id = theirs.id;
    node.antiphon.respond(theirs, DeliveryMode::Ending).await.unwrap();
    let begun = async { while began(&node, other, id).await != Status::InProgress {} };
    assert!(tokio::time::timeout(Duration::from_secs(10), begun).await.is_ok());
    second.read_until("response.queued").await;
    assert_eq!(status(&node, &second).await, Status::Queued);
}

#[tokio::test]
async fn a_user_who_fills_the_line_locks_nobody_out_who_could_begin() {
    let node = TestNode::start(background_limits(2, 1, 1)).await;
    let other = node.add_user("another").await;
    let _running = node.respond(in_background(node.plan())).await;
    let _waiting = node.respond(in_background(node.plan())).await;
    let refused = node.antiphon.respond(in_background(node.plan()), DeliveryMode::Ending).await;
    assert_eq!(refused.unwrap_err(), Refusal::QueueFull);
    let theirs = in_background(RunPlan { user: other, ..node.plan() });
    assert!(node.antiphon.respond(theirs, DeliveryMode::Ending).await.is_ok());
}

#[tokio::test]
async fn one_whose_turn_it_is_waits_for_a_busy_provider_and_does_not_fail() {
    let places =
        GateLimits { max_concurrent: NonZeroUsize::MIN, max_queue: 0, max_concurrent_per_key: NonZeroUsize::new(1) };
    let limits = ProviderOptions { gate: places, ..ProviderOptions::default() };
    let node = TestNode::start_limited(ResponseOptions::default(), limits).await;
    let mut foreground = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    let mut waiting = node.respond(in_background(node.plan())).await;
    waiting.read_until("response.queued").await;
    assert_eq!(status(&node, &waiting).await, Status::Queued);
    call.open();
    call.finish();
    drop(call);
    foreground.read_all().await;
    answer(&node).await;
    waiting.read_all().await;
    assert_eq!(status(&node, &waiting).await, Status::Completed);
}

async fn began(node: &TestNode, user: UserId, id: antiphon::protocol::ResponseId) -> Status {
    tokio::task::yield_now().await;
    node.antiphon.retrieve(user, id).await.unwrap().status
}

#[tokio::test]
async fn a_supervisor_that_panics_gives_its_turn_to_the_next_one() {
    use antiphon::actors::{Label, Role, supervision::Fault};
    let node = node(1, 1).await;
    let first = node.respond(in_background(node.plan())).await;
    let _call = node.provider.asked().await;
    let mut second = node.respond(in_background(node.plan())).await;
    let supervisor = Label::of(Role::ResponseSupervisor, first.id);
    assert_eq!(node.antiphon.roster().inflict(supervisor, Fault::Panic).await, 1);
    answer(&node).await;
    second.read_all().await;
    assert_eq!(status(&node, &second).await, Status::Completed);
}

#[tokio::test]
async fn a_reader_of_one_that_waits_goes_on_live_when_it_begins() {
    let node = node(1, 1).await;
    let first = node.respond(in_background(node.plan())).await;
    let second = node.respond(in_background(node.plan())).await;
    let id = second.id;
    drop(second);
    let events = DeliveryMode::Events { view: View::default(), from: 0 };
    let reader = node.antiphon.subscribe(node.user, id, events).await.unwrap();
    drop(reader);
    let mut replay = node.replay(id).await;
    replay.read_until("response.queued").await;
    answer(&node).await;
    answer(&node).await;
    replay.read_all().await;
    assert_eq!((replay.text().as_str(), status(&node, &first).await), ("Hello", Status::Completed));
}
