//! Responses whose process is gone: those that can be gone on with are, and nothing is asked for twice.

use std::{sync::Arc, time::Duration};

use antiphon::{
    actors::{ActorRole, Label, supervision::Fault},
    domain::{Cause, DisconnectPolicy, ResponseOptions, RunPlan, Timeouts},
    protocol::{ResponseId, Status},
    provider::{Error, Report},
    store::ResponseStore,
    testkit::{Call, TestClient, TestNode},
};

mod across_processes;

/// Nobody's patience with a busy machine ends before this.
const PATIENCE: Duration = Duration::from_secs(30);

async fn node() -> TestNode {
    TestNode::start_reattachable(ResponseOptions::default()).await
}

/// A plan whose client may come back for a minute.
fn patient(node: &TestNode) -> RunPlan {
    RunPlan { disconnect: DisconnectPolicy::Grace(Duration::from_secs(60)), ..node.plan() }
}

/// A response whose provider has said "Hel" as its own "far_1", and everything up to there has been seen.
async fn begun(node: &TestNode, plan: RunPlan) -> (TestClient, Call) {
    let (mut client, call) = tokio::join!(node.respond(plan), node.provider.asked());
    call.open_as("far_1");
    call.text("Hel");
    client.read_until("\"delta\":\"Hel\"").await;
    (client, call)
}

/// A response that was begun when its node was started again, and the call as it is listened to now.
async fn restarted(node: &mut TestNode) -> (ResponseId, Call) {
    let (client, _first) = begun(node, patient(node)).await;
    let id = client.id;
    drop(client);
    node.restart();
    (id, node.provider.asked().await)
}

async fn ended(node: &TestNode, id: ResponseId) -> (Status, Option<Cause>) {
    let ended = async {
        loop {
            let row = node.store.response(id).await.unwrap();
            if let Some(row) = row.filter(|row| row.status.is_terminal()) {
                return (row.status, row.cause);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap()
}

/// All that the provider ever says in this call.
fn tell(call: Call) {
    call.open_as("far_1");
    call.text("Hel");
    call.text("lo");
    call.finish();
    drop(call);
}

/// All events of a response that nothing happens to.
async fn uninterrupted(node: &TestNode) -> Vec<String> {
    let (mut client, call) = begun(node, patient(node)).await;
    call.text("lo");
    call.finish();
    drop(call);
    client.read_all().await;
    client.frames
}

#[tokio::test]
async fn a_lost_call_is_listened_to_again_and_the_stream_is_as_if_nothing_had_happened() {
    let mut node = node().await;
    let whole = uninterrupted(&node).await;
    let (client, first) = begun(&node, patient(&node)).await;
    let (id, seen) = (client.id, client.frames.clone());
    drop(client);
    node.restart();
    first.closed().await;
    let again = node.provider.asked().await;
    assert_eq!(again.reattached.as_deref(), Some("far_1"));
    let mut client = node.replay(id).await;
    tell(again);
    client.read_all().await;
    assert_eq!(client.frames[..seen.len()], seen, "what was seen is still what there is");
    assert_eq!((client.text().as_str(), client.frames.len()), ("Hello", whole.len()));
    let name = |frame: &String| frame.lines().next().unwrap().to_owned();
    assert_eq!(client.frames.iter().map(name).collect::<Vec<_>>(), whole.iter().map(name).collect::<Vec<_>>());
    assert_eq!(ended(&node, id).await, (Status::Completed, None));
    assert_eq!(node.provider.unheard(), 0, "the provider was asked once");
}

#[tokio::test]
async fn a_registry_that_panics_costs_no_call_its_provider() {
    let node = node().await;
    let (mut client, first) = begun(&node, patient(&node)).await;
    let hit = node.antiphon.roster().inflict(Label::node(ActorRole::ResponseRegistry), Fault::Panic).await;
    assert_eq!(hit, 1);
    first.closed().await;
    let again = node.provider.asked().await;
    assert_eq!(again.reattached.as_deref(), Some("far_1"));
    tell(again);
    client.read_all().await;
    assert_eq!((client.text().as_str(), ended(&node, client.id).await), ("Hello", (Status::Completed, None)));
    assert!(node.provider.cancelled().is_empty());
}

#[tokio::test]
async fn a_response_that_is_ended_without_its_supervisor_ends_the_work_of_its_provider() {
    let node = node().await;
    let (client, first) = begun(&node, patient(&node)).await;
    let supervisor = Label::of(ActorRole::ResponseSupervisor, client.id);
    assert_eq!(node.antiphon.roster().inflict(supervisor, Fault::Panic).await, 1);
    first.closed().await;
    assert_eq!(ended(&node, client.id).await, (Status::Failed, Some(Cause::InternalError)));
    tokio::time::timeout(PATIENCE, node.provider.wait_until_cancelled("far_1")).await.unwrap();
    assert_eq!(node.provider.unheard(), 0, "it is not listened to again");
}

#[tokio::test]
async fn a_connection_that_is_lost_in_mid_stream_is_found_again_behind_the_clients_back() {
    let node = node().await;
    let (mut client, first) = begun(&node, node.plan()).await;
    first.fail(Error::Closed);
    let again = node.provider.asked().await;
    again.open_as("far_1");
    again.fail(Error::Unreachable);
    tell(node.provider.asked().await);
    client.read_all().await;
    assert_eq!((client.text().as_str(), ended(&node, client.id).await), ("Hello", (Status::Completed, None)));
}

#[tokio::test]
async fn a_provider_that_tells_another_story_is_not_believed() {
    let mut node = node().await;
    let (id, again) = restarted(&mut node).await;
    again.open_as("far_1");
    again.text("Goodbye");
    again.text("lo");
    assert_eq!(ended(&node, id).await, (Status::Failed, Some(Cause::ProviderProtocolError)));
    let mut replay = node.replay(id).await;
    replay.read_all().await;
    assert_eq!(replay.text(), "Hel");
}

#[tokio::test]
async fn a_call_that_its_provider_does_not_know_any_more_ends_as_interrupted_with_what_was_heard() {
    let mut node = node().await;
    let (id, again) = restarted(&mut node).await;
    again.fail(Error::Status { status: 404, retry_after: None, report: Report::Other });
    assert_eq!(ended(&node, id).await, (Status::Failed, Some(Cause::ServerInterrupted)));
    let mut replay = node.replay(id).await;
    replay.read_all().await;
    assert_eq!(replay.text(), "Hel");
    assert_eq!(node.provider.unheard(), 0, "it is not asked again");
}

#[tokio::test]
async fn nobody_comes_back_to_a_foreground_response_and_its_provider_is_told() {
    let mut node = node().await;
    let plan = RunPlan { disconnect: DisconnectPolicy::Grace(Duration::from_millis(50)), ..node.plan() };
    let (client, first) = begun(&node, plan).await;
    let id = client.id;
    // The client leaves when its server does.
    node.restart();
    drop(client);
    let again = tokio::time::timeout(PATIENCE, node.provider.asked()).await.unwrap();
    again.closed().await;
    assert_eq!(ended(&node, id).await.0, Status::Incomplete);
    // Its work is of no use any more.
    node.provider.wait_until_cancelled("far_1").await;
    drop(first);
}

#[tokio::test]
async fn one_whose_client_wanted_it_to_end_with_it_is_not_gone_on_with() {
    let mut node = node().await;
    let (client, _first) = begun(&node, node.plan()).await;
    node.restart();
    assert_eq!(ended(&node, client.id).await, (Status::Failed, Some(Cause::ServerInterrupted)));
    assert_eq!(node.provider.unheard(), 0);
}

#[tokio::test]
async fn a_deadline_is_a_point_in_time_that_no_restart_moves() {
    let mut node = node().await;
    let mut plan = patient(&node);
    plan.targets[0].timeouts = Timeouts { total: Duration::from_secs(2), ..Timeouts::default() };
    let (client, _first) = begun(&node, plan).await;
    let id = client.id;
    drop(client);
    // From now on the configuration allows ten minutes.
    node.restart();
    let again = node.provider.asked().await;
    assert_eq!(ended(&node, id).await, (Status::Failed, Some(Cause::DeadlineExceeded)));
    again.closed().await;
}

#[tokio::test]
async fn a_cancel_reaches_the_provider_of_a_call_whose_server_was_restarted() {
    let mut node = node().await;
    let (client, _first) = begun(&node, patient(&node)).await;
    let id = client.id;
    drop(client);
    node.restart();
    assert_eq!(node.antiphon.cancel(node.user, id).await.unwrap().status, Status::Cancelled);
    // Whether or not the call was listened to again before that.
    assert_eq!(ended(&node, id).await, (Status::Cancelled, None));
    node.provider.wait_until_cancelled("far_1").await;
}

#[tokio::test]
async fn those_that_wait_for_their_turn_are_run_in_their_order_after_a_restart() {
    let mut node = TestNode::start(ResponseOptions { background_concurrency: 1, ..ResponseOptions::default() }).await;
    let in_background = |node: &TestNode| {
        let mut plan = node.plan();
        Arc::make_mut(&mut plan.request).background = true;
        plan
    };
    let running = node.respond(in_background(&node)).await;
    let call = node.provider.asked().await;
    call.open();
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut client = node.respond(in_background(&node)).await;
        client.read_until("response.queued").await;
        waiting.push(client.id);
    }
    let interrupted = running.id;
    drop(running);
    node.restart();
    assert_eq!(ended(&node, interrupted).await, (Status::Failed, Some(Cause::ServerInterrupted)));
    for id in waiting {
        let call = tokio::time::timeout(PATIENCE, node.provider.asked()).await.unwrap();
        assert_eq!(call.request.prompt.items.len(), 1, "the prompt is what was asked");
        assert_eq!(node.store.response(id).await.unwrap().unwrap().status, Status::InProgress);
        call.open();
        call.text("Hello");
        call.finish();
        drop(call);
        assert_eq!(ended(&node, id).await, (Status::Completed, None));
    }
    assert_eq!(node.provider.unheard(), 0, "each was asked for once");
}

#[tokio::test]
async fn a_node_that_stops_leaves_what_can_be_gone_on_with_and_ends_the_rest() {
    let mut node = node().await;
    let (left, first) = begun(&node, patient(&node)).await;
    let plan = RunPlan { targets: vec![antiphon::domain::Target::new("spare", "spare-1")], ..patient(&node) };
    let (ending, call) = tokio::join!(node.respond(plan), node.spare.asked());
    call.open();
    node.antiphon.drain(Duration::ZERO).await;
    first.closed().await;
    assert_eq!(ended(&node, ending.id).await, (Status::Failed, Some(Cause::ServerInterrupted)));
    assert_eq!(node.store.response(left.id).await.unwrap().unwrap().status, Status::InProgress);
    let id = left.id;
    drop((left, ending));
    node.restart();
    let again = node.provider.asked().await;
    tell(again);
    assert_eq!(ended(&node, id).await, (Status::Completed, None));
    assert!(node.provider.cancelled().is_empty());
}
