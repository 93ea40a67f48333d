//! What a response goes through, told through the handle, on a real database.

use std::{sync::Arc, time::Duration};

use antiphon::{
    Readiness, Refusal,
    actors::{ActorRole, DeliveryMode, Emission, Label, NodeFailure, ResponsePhase, supervision::Fault},
    domain::{Cause, DisconnectPolicy, ResponseOptions, RunPlan, View},
    protocol::{ResponseId, Status, Usage},
    provider::ProviderEvent,
    store::{JournalEntry, ResponseStore},
    testkit::{TestNode, impatient},
};
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, Database, Statement};

const WRITER: Label = Label::node(ActorRole::JournalWriter);
const EVENTS: DeliveryMode = DeliveryMode::Events { view: View { include_obfuscation: false }, from: 0 };

async fn node() -> TestNode {
    TestNode::start(ResponseOptions::default()).await
}

/// Waits until no actor works for a response any more.
async fn all_gone(node: &TestNode) {
    node.antiphon.roster().wait_until(|live| live.iter().all(|actor| actor.response.is_none())).await;
}

/// Waits until the record says how a response ended.
async fn ending_in_the_record(node: &TestNode, id: ResponseId) -> (Status, Option<Cause>) {
    let ending = async {
        loop {
            let row = node.store.response(id).await.unwrap();
            if let Some(row) = row.filter(|row| row.status.is_terminal()) {
                return (row.status, row.cause);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ending).await.unwrap()
}

fn with_grace(plan: RunPlan, grace: Duration) -> RunPlan {
    RunPlan { disconnect: DisconnectPolicy::Grace(grace), ..plan }
}

fn unstored(mut plan: RunPlan) -> RunPlan {
    Arc::make_mut(&mut plan.request).store = false;
    plan
}

fn text(text: impl Into<String>) -> ProviderEvent {
    ProviderEvent::Text { text: text.into(), logprobs: Vec::new() }
}

#[tokio::test]
async fn a_provider_that_only_counts_for_a_while_is_no_database_that_is_away() {
    let settings = ResponseOptions { outage_patience: Duration::from_millis(300), ..impatient() };
    let node = TestNode::start(ResponseOptions { credit_bytes: 1024, ..settings }).await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("Hello");
    client.read_until("output_text.delta").await;
    // Far more of it than there is credit for, and for longer than the database may be away.
    (0..200).for_each(|tokens| call.usage(Usage { output_tokens: tokens, ..Usage::default() }));
    call.wait_until_heard(202).await;
    tokio::time::timeout(Duration::from_secs(1), client.next()).await.unwrap_err();
    call.text(", world");
    call.finish();
    drop(call);
    client.read_all().await;
    assert_eq!(client.text(), "Hello, world");
    assert_eq!(node.antiphon.retrieve(node.user, client.id).await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn a_client_that_comes_back_within_the_grace_goes_on_where_it_was() {
    let node = node().await;
    let mut client = node.respond(with_grace(node.plan(), Duration::from_secs(60))).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("Hello");
    client.read_until("output_text.delta").await;
    let (id, seen) = (client.id, client.frames.clone());
    drop(client);
    let from = seen.len() as u64;
    let mut back =
        node.antiphon.subscribe(node.user, id, DeliveryMode::Events { view: View::default(), from }).await.unwrap();
    call.text(" again");
    let Some(Emission::Frame { sequence_number, bytes }) = back.emissions.recv().await else { unreachable!() };
    assert_eq!(sequence_number, from, "strictly after what was seen");
    assert!(String::from_utf8_lossy(&bytes).contains(" again"));
    call.finish();
    drop(call);
    while !matches!(back.emissions.recv().await, Some(Emission::End)) {}
    assert_eq!(node.antiphon.retrieve(node.user, id).await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn a_client_that_stays_away_ends_the_response_as_incomplete() {
    let node = node().await;
    let client = node.respond(with_grace(node.plan(), Duration::from_millis(20))).await;
    let call = node.provider.asked().await;
    let id = client.id;
    drop(client);
    call.closed().await;
    let mut replay = node.replay(id).await;
    replay.read_all().await;
    let response = node.antiphon.retrieve(node.user, id).await.unwrap();
    assert_eq!(response.status, Status::Incomplete);
    assert_eq!(response.incomplete_details.unwrap().reason, "client_disconnected");
}

#[tokio::test]
async fn a_response_told_to_continue_outlives_its_client() {
    let node = node().await;
    let client = node.respond(RunPlan { disconnect: DisconnectPolicy::Continue, ..node.plan() }).await;
    let call = node.provider.asked().await;
    let id = client.id;
    drop(client);
    call.open();
    call.text("Alone");
    call.finish();
    drop(call);
    let mut replay = node.replay(id).await;
    replay.read_all().await;
    assert_eq!(replay.text(), "Alone");
}

#[tokio::test]
async fn cancel_hangs_up_on_the_provider_and_is_answered_after_the_commit() {
    let node = TestNode::start(ResponseOptions { emission_buffer: 1, ..ResponseOptions::default() }).await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("Hel");
    client.read_until("output_text.delta").await;
    // One who does not read keeps the response at hand, but not its provider.
    let unread = node.antiphon.subscribe(node.user, client.id, EVENTS).await.unwrap();
    let outcome = node.antiphon.cancel(node.user, client.id).await.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    let hung_up = tokio::time::timeout(Duration::from_secs(10), call.closed());
    assert!(hung_up.await.is_ok(), "the provider is kept as long as somebody could read");
    drop(unread);
    client.read_all().await;
    assert!(client.frames.last().unwrap().starts_with("event: response.failed\n"));
    assert!(client.frames.last().unwrap().contains(r#""status":"cancelled""#));
    let again = node.antiphon.cancel(node.user, client.id).await.unwrap();
    assert_eq!(*again.response, node.antiphon.retrieve(node.user, client.id).await.unwrap());
}

#[tokio::test]
async fn a_response_that_has_ended_or_is_somebody_elses_can_not_be_cancelled() {
    let node = node().await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    let foreign = antiphon::protocol::UserId::new();
    assert_eq!(node.antiphon.cancel(foreign, client.id).await.unwrap_err(), Refusal::NotFound);
    call.open();
    call.finish();
    drop(call);
    client.read_all().await;
    let refusal = node.antiphon.cancel(node.user, client.id).await.unwrap_err();
    assert_eq!(refusal, Refusal::AlreadyEnded(Status::Completed));
    all_gone(&node).await;
    let refusal = node.antiphon.cancel(node.user, client.id).await.unwrap_err();
    assert_eq!(refusal, Refusal::AlreadyEnded(Status::Completed), "long after, too");
    assert_eq!(node.antiphon.cancel(foreign, client.id).await.unwrap_err(), Refusal::NotFound);
    assert_eq!(node.antiphon.subscribe(foreign, client.id, EVENTS).await.unwrap_err(), Refusal::NotFound);
}

#[tokio::test]
async fn cancel_and_completion_race_to_one_ending_that_all_agree_on() {
    let node = node().await;
    let mut endings = std::collections::BTreeSet::new();
    for round in 0..60_u32 {
        let mut client = node.respond(node.plan()).await;
        let call = node.provider.asked().await;
        let (antiphon, user, id) = (node.antiphon.clone(), node.user, client.id);
        let finish = async move {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            call.events([ProviderEvent::Opened { provider_response_id: None }, text("x")]);
            call.finish();
        };
        let (answer, ()) = tokio::join!(antiphon.cancel(user, id), finish);
        client.read_all().await;
        let status = antiphon.retrieve(user, id).await.unwrap().status;
        match answer {
            Ok(_) => assert_eq!(status, Status::Cancelled),
            Err(refusal) => assert_eq!(refusal, Refusal::AlreadyEnded(status)),
        }
        endings.insert(status.as_str());
    }
    assert!(endings.iter().all(|status| ["cancelled", "completed"].contains(status)), "{endings:?}");
}

#[tokio::test]
async fn deleting_a_running_response_ends_it_and_leaves_nothing() {
    let node = node().await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    client.read_until("in_progress").await;
    node.antiphon.delete(node.user, client.id).await.unwrap();
    call.closed().await;
    client.read_all().await;
    assert!(client.ended, "the client is told");
    let db = Database::connect(&node.url).await.unwrap();
    for table in ["responses", "items", "segments"] {
        let sql = format!("SELECT COUNT(*) AS n FROM {table}");
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i64>("", "n").unwrap(), 0, "{table} is empty");
    }
    assert_eq!(node.antiphon.delete(node.user, client.id).await.unwrap_err(), Refusal::NotFound);
}

#[tokio::test]
async fn a_response_that_is_not_stored_leaves_a_row_and_no_content() {
    let node = node().await;
    let mut client = node.respond(unstored(node.plan())).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("off the record");
    call.finish();
    client.read_until("output_item.done").await;
    assert_eq!(node.antiphon.retrieve(node.user, client.id).await.unwrap_err(), Refusal::NotFound);
    assert_eq!(node.antiphon.subscribe(node.user, client.id, EVENTS).await.unwrap_err(), Refusal::NotFound);
    drop(call);
    client.read_all().await;
    assert_eq!((client.ended, client.text().as_str()), (true, "off the record"));
    let db = Database::connect(&node.url).await.unwrap();
    let sql = "SELECT (SELECT COUNT(*) FROM items) + (SELECT COUNT(*) FROM segments) AS n, status FROM responses";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i64>("", "n").unwrap(), 0);
    assert_eq!(row.try_get::<String>("", "status").unwrap(), "completed");
}

#[tokio::test]
async fn a_response_that_is_not_stored_can_be_cancelled_while_it_lives() {
    let node = node().await;
    let mut client = node.respond(unstored(node.plan())).await;
    let call = node.provider.asked().await;
    call.open();
    let outcome = node.antiphon.cancel(node.user, client.id).await.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    client.read_all().await;
    assert!(client.ended);
    all_gone(&node).await;
    assert_eq!(node.antiphon.cancel(node.user, client.id).await.unwrap_err(), Refusal::NotFound);
}

#[tokio::test]
async fn client_and_record_are_cut_at_the_same_byte_of_too_much_output() {
    let node = TestNode::start(ResponseOptions { max_output_bytes: 10, ..ResponseOptions::default() }).await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("1234567");
    call.text("89\u{e4}\u{e4}");
    call.closed().await;
    client.read_all().await;
    assert_eq!(client.text(), "123456789", "never inside a character");
    let response = node.antiphon.retrieve(node.user, client.id).await.unwrap();
    assert_eq!(response.error.unwrap().kind, "content_too_large");
    let mut replay = node.replay(client.id).await;
    replay.read_all().await;
    assert_eq!(replay.frames, client.frames);
}

#[tokio::test]
async fn an_absent_database_ends_connections_but_no_truth() {
    let settings = ResponseOptions { outage_patience: Duration::from_millis(200), ..impatient() };
    let node = TestNode::start(settings).await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("before");
    client.read_until("before").await;
    node.store.go_away();
    call.text(" never seen");
    client.read_all().await;
    assert!(!client.ended, "no ending is sent that is not stored");
    assert_eq!(client.text(), "before");
    call.closed().await;
    let refused = node.antiphon.respond(node.plan(), EVENTS).await.unwrap_err();
    assert_eq!(refused, Refusal::DatabaseUnavailable);
    node.store.come_back();
    all_gone(&node).await;
    let mut replay = node.replay(client.id).await;
    replay.read_all().await;
    assert_eq!(replay.frames[..client.frames.len()], client.frames, "what was seen is a prefix of the record");
    let response = node.antiphon.retrieve(node.user, client.id).await.unwrap();
    assert_eq!(response.error.unwrap().kind, "database_unavailable");
}

#[tokio::test]
async fn commits_with_a_lost_answer_are_made_once() {
    let node = node().await;
    node.store.fail_after_commit(1);
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    for word in ["one ", "two ", "three"] {
        node.store.fail_after_commit(1);
        call.text(word);
        client.read_until(word).await;
    }
    node.store.fail_after_commit(1);
    call.finish();
    drop(call);
    client.read_all().await;
    assert_eq!(client.text(), "one two three");
    let mut replay = node.replay(client.id).await;
    replay.read_all().await;
    assert_eq!(replay.frames, client.frames);
}

#[tokio::test]
async fn a_slow_client_slows_nothing_and_misses_nothing() {
    let node = TestNode::start(ResponseOptions { frame_buffer_bytes: 2_000, ..ResponseOptions::default() }).await;
    let mut client = node.respond(node.plan()).await;
    let mut quick = node.replay(client.id).await;
    let call = node.provider.asked().await;
    call.open();
    for number in 0..300 {
        call.text(&format!("{number} "));
    }
    call.finish();
    drop(call);
    quick.read_all().await;
    assert!(client.frames.is_empty(), "the slow one has not begun");
    client.read_all().await;
    assert_eq!(client.frames, quick.frames);
    assert_eq!(client.text().split_whitespace().count(), 300);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_and_can_come_back() {
    let settings = ResponseOptions { client_stall_timeout: Duration::from_millis(50), ..ResponseOptions::default() };
    let node = TestNode::start(settings).await;
    let client = node.respond(with_grace(node.plan(), Duration::from_millis(20))).await;
    let call = node.provider.asked().await;
    call.open();
    for _ in 0..200 {
        call.text("word ");
    }
    call.closed().await;
    let mut replay = node.replay(client.id).await;
    replay.read_all().await;
    let status = node.antiphon.retrieve(node.user, client.id).await.unwrap().status;
    assert_eq!(status, Status::Incomplete, "a client that was cut counts as gone");
    assert_eq!(replay.text().split_whitespace().count(), 200, "and nothing of it is lost");
}

#[tokio::test]
async fn fifty_readers_of_one_running_response_see_the_same() {
    let node = node().await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("some ");
    client.read_until("some").await;
    let readers = join_all((0..50).map(|_| node.replay(client.id))).await;
    call.text("more");
    call.finish();
    drop(call);
    client.read_all().await;
    for mut reader in readers {
        reader.read_all().await;
        assert_eq!(reader.frames, client.frames);
    }
}

#[tokio::test]
async fn responses_that_write_at_once_share_commits() {
    let node = node().await;
    node.store.hold_commits();
    let plans: Vec<_> = (0..100).map(|_| node.plan()).collect();
    let mut admitted = Box::pin(join_all(plans.into_iter().map(|plan| node.respond(plan))));
    tokio::select! {
        _ = &mut admitted => unreachable!("no commit has been made"),
        () = node.antiphon.roster().wait_until(|live| live.len() >= 100 * 3) => {}
    }
    node.store.release_commits();
    let clients = admitted.await;
    assert_eq!(clients.len(), 100);
    let commits = node.store.entries_per_commit();
    assert_eq!(commits.iter().sum::<usize>(), 100);
    assert!(commits.len() <= 20, "100 admissions in {} commits: {commits:?}", commits.len());
}

#[tokio::test]
async fn reported_usage_is_the_same_everywhere_and_missing_usage_is_estimated() {
    let node = node().await;
    let reported = Usage { input_tokens: 7, output_tokens: 5, total_tokens: 12, ..Usage::default() };
    for usage in [Some(reported), None] {
        let mut client = node.respond(node.plan()).await;
        let call = node.provider.asked().await;
        call.open();
        call.text("three little words");
        usage.into_iter().for_each(|usage| call.usage(usage));
        call.finish();
        drop(call);
        client.read_all().await;
        let response = node.antiphon.retrieve(node.user, client.id).await.unwrap();
        assert_eq!(response.usage, usage);
        let json = serde_json::to_string(&usage).unwrap();
        assert!(client.frames.last().unwrap().contains(&format!(r#""usage":{json}"#)));
        let db = Database::connect(&node.url).await.unwrap();
        let sql = format!("SELECT * FROM usage_records WHERE response = '{}'", client.id.uuid());
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        assert_eq!(rows.len(), 1, "one record per turn");
        let row = &rows[0];
        let tokens = |column| row.try_get::<i64>("", column).unwrap();
        let expected = usage.map_or((2, 3), |_| (7, 5));
        assert_eq!((tokens("input_tokens"), tokens("output_tokens")), expected);
        assert_eq!(row.try_get::<bool>("", "estimated").unwrap(), usage.is_none());
    }
}

#[tokio::test]
async fn who_waits_for_the_ending_only_is_told_it() {
    let node = node().await;
    let plan = RunPlan { resumable: false, ..node.plan() };
    let mut reader = node.antiphon.respond(plan, DeliveryMode::Ending).await.unwrap();
    let call = node.provider.asked().await;
    call.open();
    call.text("whole");
    call.finish();
    drop(call);
    let phase = reader.phase.wait_for(|phase| matches!(phase, ResponsePhase::Ended(_))).await.unwrap().clone();
    let ResponsePhase::Ended(outcome) = phase else { unreachable!() };
    assert_eq!(*outcome.response, node.antiphon.retrieve(node.user, reader.id).await.unwrap());
    let mut late = node.antiphon.subscribe(node.user, reader.id, DeliveryMode::Ending).await.unwrap();
    assert!(matches!(&*late.phase.borrow_and_update(), ResponsePhase::Ended(_)));
}

#[tokio::test]
async fn draining_lets_responses_finish_and_takes_no_new_ones() {
    let node = node().await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    client.read_until("in_progress").await;
    let draining = node.antiphon.drain(Duration::from_secs(60));
    tokio::pin!(draining);
    tokio::select! {
        _ = &mut draining => unreachable!("a response runs"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(node.antiphon.respond(node.plan(), EVENTS).await.unwrap_err(), Refusal::Draining);
    assert_eq!(node.antiphon.readiness().await.unwrap(), Readiness::Draining);
    call.finish();
    drop(call);
    client.read_all().await;
    let report = draining.await;
    assert_eq!((report.unfinished, report.is_complete, report.is_lease_released), (0, true, true));
    assert_eq!(node.antiphon.retrieve(node.user, client.id).await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn what_does_not_finish_while_draining_is_ended_as_interrupted() {
    let node = node().await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    let (report, ()) = tokio::join!(node.antiphon.drain(Duration::from_millis(10)), client.read_all());
    assert_eq!((report.unfinished, report.is_complete, report.is_lease_released), (1, true, true));
    let response = node.antiphon.retrieve(node.user, client.id).await.unwrap();
    assert_eq!(response.error.unwrap().kind, "server_interrupted");
}

#[tokio::test]
async fn a_slow_store_slows_the_provider_and_bounds_what_is_in_between() {
    let node = TestNode::start(ResponseOptions { credit_bytes: 1_000, ..ResponseOptions::default() }).await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    node.store.hold_commits();
    for _ in 0..100 {
        call.text(&"x".repeat(100));
    }
    call.wait_until_heard(6).await;
    node.store.commit_held().await;
    // What was read is in the reader's credit; a beat later nothing more has been.
    let replay = node.antiphon.subscribe(node.user, client.id, EVENTS).await.unwrap();
    assert!(call.heard() <= 7, "{} of 100 pieces were read ahead of the store", call.heard());
    drop(replay);
    node.store.release_commits();
    call.finish();
    drop(call);
    client.read_all().await;
    assert_eq!(client.text().len(), 10_000);
}

#[tokio::test]
async fn a_commit_that_waits_holds_up_no_other_stream_of_its_thread() {
    let node = TestNode::start(ResponseOptions { arbiters: 1, ..ResponseOptions::default() }).await;
    let mut ended = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("said");
    call.finish();
    drop(call);
    ended.read_all().await;
    let _waits = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    node.store.hold_commits();
    call.open();
    node.store.commit_held().await;
    let mut replay = node.replay(ended.id).await;
    replay.read_all().await;
    assert_eq!(replay.text(), "said");
    node.store.release_commits();
}

#[tokio::test]
async fn a_response_whose_supervisor_dies_is_settled_though_nobody_asks() {
    let node = node().await;
    let mut client = node.respond(RunPlan { disconnect: DisconnectPolicy::Continue, ..node.plan() }).await;
    let call = node.provider.asked().await;
    call.open();
    client.read_until("in_progress").await;
    let supervisor = Label::of(ActorRole::ResponseSupervisor, client.id);
    let id = client.id;
    drop(client);
    node.antiphon.roster().inflict(supervisor, Fault::Panic).await;
    let settled = ending_in_the_record(&node, id).await;
    assert_eq!(settled, (Status::Failed, Some(Cause::InternalError)));
}

#[tokio::test]
async fn a_node_without_its_guardian_says_that_it_can_not_go_on() {
    let node = node().await;
    let guardian = Label::node(ActorRole::NodeGuardian);
    node.antiphon.roster().inflict(guardian, Fault::Panic).await;
    assert_eq!(node.antiphon.failed().await, NodeFailure::Guardian);
}

#[tokio::test]
async fn a_node_whose_journal_writer_keeps_failing_gives_up() {
    let node = node().await;
    for _ in 0..3 {
        node.antiphon.roster().wait_until(|live| live.contains(&WRITER)).await;
        node.antiphon.roster().inflict(WRITER, Fault::Panic).await;
    }
    assert_eq!(node.antiphon.failed().await, NodeFailure::JournalWriter);
}

#[tokio::test]
async fn a_supervisor_that_dies_while_its_response_is_admitted_leaves_nothing_running() {
    let node = node().await;
    let plan = node.plan();
    let (id, supervisor) = (plan.id, Label::of(ActorRole::ResponseSupervisor, plan.id));
    node.store.hold_commits();
    let fail = async {
        node.store.commit_held().await;
        node.antiphon.roster().inflict(supervisor, Fault::Panic).await;
        node.store.release_commits();
    };
    let (answer, ()) = tokio::join!(node.antiphon.respond(plan, EVENTS), fail);
    assert_eq!(answer.unwrap_err(), Refusal::Internal);
    assert_eq!(ending_in_the_record(&node, id).await, (Status::Failed, Some(Cause::InternalError)));
}

#[tokio::test]
async fn no_ending_is_in_the_log_before_it_is_in_the_record() {
    let node = node().await;
    let mut client = node.respond(node.plan()).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("some words");
    client.read_until("output_text.delta").await;
    node.estimates.send_replace(false);
    let (antiphon, user, id) = (node.antiphon.clone(), node.user, client.id);
    let cancel = tokio::spawn(async move { antiphon.cancel(user, id).await.map(|outcome| outcome.status) });
    call.closed().await;
    // Behind it in the journal: whatever the response had to write is written.
    node.antiphon.journal().write(JournalEntry::Delete(ResponseId::new())).await;
    assert_eq!(node.antiphon.retrieve(user, id).await.unwrap().status, Status::InProgress);
    node.estimates.send_replace(true);
    assert_eq!(cancel.await.unwrap(), Ok(Status::Cancelled));
}
