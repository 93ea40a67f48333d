//! What is tried before a response fails, and what never is.

use std::{num::NonZeroUsize, time::Duration};

use antiphon::{
    Refusal,
    actors::{
        ActorRole, ClientStream, DeliveryMode, Label, ProviderOptions, ResponseOutcome, ResponsePhase,
        supervision::Fault,
    },
    domain::{BreakerPolicy, Cause, ResponseOptions, RetryPolicy, RunPlan, Target, Timeouts},
    protocol::{FunctionTool, JsonObject, NarrowChoice, ResponseId, Status, Tool, ToolChoice, ToolMode},
    provider::{Error, GateLimits, ProviderEvent, Report},
    testkit::{TestClient, TestNode},
};
use std::sync::Arc;

const BUSY: Error = Error::Status { status: 503, retry_after: None, report: Report::Other };

/// Retries at once, so that no test waits.
fn eager() -> ProviderOptions {
    let retry = RetryPolicy { max_retries: 1, base_delay: Duration::ZERO, ..RetryPolicy::default() };
    ProviderOptions { retry, ..ProviderOptions::default() }
}

fn narrow(max_concurrent: usize, max_queue: usize) -> ProviderOptions {
    let max_concurrent = NonZeroUsize::new(max_concurrent).unwrap();
    let retry = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
    let gate = GateLimits { max_concurrent, max_queue, max_concurrent_per_key: None };
    ProviderOptions { gate, retry, ..ProviderOptions::default() }
}

async fn node(limits: ProviderOptions) -> TestNode {
    TestNode::start_limited(ResponseOptions::default(), limits).await
}

fn with_spare(mut plan: RunPlan) -> RunPlan {
    plan.targets.push(Target::new("spare", "spare-1"));
    plan
}

fn within(mut plan: RunPlan, timeouts: Timeouts) -> RunPlan {
    plan.targets[0].timeouts = timeouts;
    plan
}

/// How it ends, for one who only waits for that.
async fn ending(mut reader: ClientStream) -> Arc<ResponseOutcome> {
    let ended = reader.phase.wait_for(|phase| matches!(phase, ResponsePhase::Ended(_))).await.unwrap();
    let ResponsePhase::Ended(outcome) = &*ended else { unreachable!() };
    Arc::clone(outcome)
}

async fn ending_of(node: &TestNode, id: ResponseId) -> Arc<ResponseOutcome> {
    ending(node.antiphon.subscribe(node.user, id, DeliveryMode::Ending).await.unwrap()).await
}

/// One whole answer, and what the client has of it.
async fn completes(node: &TestNode, client: &mut TestClient, provider: &antiphon::testkit::PuppetProvider) {
    let call = provider.asked().await;
    call.open();
    call.text("Hello");
    call.finish();
    drop(call);
    client.read_all().await;
    assert_eq!(client.text(), "Hello");
    let created = client.frames.iter().filter(|frame| frame.contains("response.created")).count();
    let begun = client.frames.iter().filter(|frame| frame.starts_with("event: response.in_progress")).count();
    assert_eq!((created, begun), (1, 1), "{:#?}", client.frames);
    assert_eq!(ending_of(node, client.id).await.status, Status::Completed);
}

#[tokio::test]
async fn a_refused_attempt_is_made_again_and_no_client_sees_it() {
    let node = node(eager()).await;
    let mut client = node.respond(node.plan()).await;
    node.provider.asked().await.fail(BUSY);
    completes(&node, &mut client, &node.provider).await;
}

#[tokio::test]
async fn an_attempt_that_may_have_been_billed_goes_to_the_next_provider() {
    for error in [Error::FirstByteTimeout, Error::IdleTimeout, Error::Closed] {
        let node = node(eager()).await;
        let mut client = node.respond(with_spare(node.plan())).await;
        let call = node.provider.asked().await;
        call.open();
        call.fail(error);
        completes(&node, &mut client, &node.spare).await;
        assert_eq!(node.provider.unheard(), 0, "it was asked again");
    }
}

#[tokio::test]
async fn a_reader_that_panics_before_the_first_word_is_followed_by_the_next_provider() {
    let node = node(eager()).await;
    let mut client = node.respond(with_spare(node.plan())).await;
    let call = node.provider.asked().await;
    let reader = Label::of(ActorRole::ProviderReader, client.id);
    assert_eq!(node.antiphon.roster().inflict(reader, Fault::Panic).await, 1);
    completes(&node, &mut client, &node.spare).await;
    drop(call);
}

#[tokio::test]
async fn after_the_first_word_nothing_is_tried_again() {
    let node = node(eager()).await;
    let mut client = node.respond(with_spare(node.plan())).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("Hel");
    client.read_until("output_text.delta").await;
    call.fail(BUSY);
    client.read_all().await;
    let outcome = ending_of(&node, client.id).await;
    assert_eq!((outcome.status, outcome.cause), (Status::Failed, Some(Cause::ProviderUnavailable)));
    assert_eq!((client.text().as_str(), node.provider.unheard(), node.spare.unheard()), ("Hel", 0, 0));
}

#[tokio::test]
async fn a_request_that_is_at_fault_goes_to_nobody_else() {
    let node = node(eager()).await;
    let reader = node.antiphon.respond(with_spare(node.plan()), DeliveryMode::Ending).await.unwrap();
    node.provider.asked().await.fail(Error::Status { status: 400, retry_after: None, report: Report::Other });
    assert_eq!(ending(reader).await.cause, Some(Cause::ProviderRejected));
    assert_eq!((node.provider.unheard(), node.spare.unheard()), (0, 0));
}

#[tokio::test]
async fn a_provider_that_wants_to_be_left_alone_for_years_is_not_waited_for() {
    let node = node(eager()).await;
    let reader = node.antiphon.respond(node.plan(), DeliveryMode::Ending).await.unwrap();
    let years = Some(Duration::from_secs(999_999_999));
    node.provider.asked().await.fail(Error::Status { status: 429, retry_after: years, report: Report::Other });
    let outcome = ending(reader).await;
    assert_eq!((outcome.cause, outcome.retry_after), (Some(Cause::ProviderRateLimited), years));
    assert_eq!(node.provider.unheard(), 0);
}

#[tokio::test]
async fn the_last_failure_is_the_one_that_is_told() {
    let node = node(eager()).await;
    let reader = node.antiphon.respond(with_spare(node.plan()), DeliveryMode::Ending).await.unwrap();
    node.provider.asked().await.fail(BUSY);
    node.provider.asked().await.fail(BUSY);
    node.spare.asked().await.fail(Error::Unreachable);
    node.spare.asked().await.fail(Error::Unreachable);
    assert_eq!(ending(reader).await.cause, Some(Cause::ProviderUnreachable));
}

#[tokio::test]
async fn cancel_ends_the_pause_between_two_attempts() {
    let wait = RetryPolicy { max_retries: 1, ..RetryPolicy::default() };
    let node = node(ProviderOptions { retry: wait, ..ProviderOptions::default() }).await;
    let client = node.respond(node.plan()).await;
    let long = Some(Duration::from_secs(9));
    node.provider.asked().await.fail(Error::Status { status: 503, retry_after: long, report: Report::Other });
    let outcome = node.antiphon.cancel(node.user, client.id).await.unwrap();
    assert_eq!((outcome.status, node.provider.unheard()), (Status::Cancelled, 0));
}

#[tokio::test]
async fn a_response_that_takes_too_long_in_all_is_ended_and_keeps_its_words() {
    let node = node(eager()).await;
    let timeouts = Timeouts { total: Duration::from_millis(400), ..Timeouts::default() };
    let mut client = node.respond(within(node.plan(), timeouts)).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("Hel");
    client.read_all().await;
    call.closed().await;
    let outcome = ending_of(&node, client.id).await;
    assert_eq!((outcome.status, outcome.cause), (Status::Failed, Some(Cause::DeadlineExceeded)));
    assert_eq!(client.text(), "Hel");
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_alone_and_clients_are_told_when_to_come_back() {
    let breaker = BreakerPolicy { failures: 1, failures_on_trial: 1, ..BreakerPolicy::default() };
    let node = node(ProviderOptions { breaker, ..narrow(8, 0) }).await;
    let first = node.antiphon.respond(node.plan(), DeliveryMode::Ending).await.unwrap();
    node.provider.asked().await.fail(Error::Unreachable);
    assert_eq!(ending(first).await.cause, Some(Cause::ProviderUnreachable));
    let second = node.antiphon.respond(node.plan(), DeliveryMode::Ending).await.unwrap();
    let outcome = ending(second).await;
    assert_eq!(outcome.cause, Some(Cause::ProviderCircuitOpen));
    assert!(outcome.retry_after.is_some_and(|wait| !wait.is_zero()));
    assert_eq!(node.provider.unheard(), 0);
    // Where there is another one it is asked instead.
    let mut third = node.respond(with_spare(node.plan())).await;
    completes(&node, &mut third, &node.spare).await;
}

#[tokio::test]
async fn one_runs_two_wait_in_order_and_the_fourth_is_refused_at_once() {
    let node = node(narrow(1, 2)).await;
    let mut first = node.respond(node.plan()).await;
    let running = node.provider.asked().await;
    let mut second = node.respond(node.plan()).await;
    let mut third = node.respond(node.plan()).await;
    let refused = node.antiphon.respond(node.plan(), DeliveryMode::Ending).await;
    assert_eq!(refused.unwrap_err(), Refusal::QueueFull);
    // Those who wait are accepted: they can be read, and have not begun.
    second.read_until("response.created").await;
    assert_eq!(node.antiphon.retrieve(node.user, second.id).await.unwrap().status, Status::InProgress);
    running.open();
    running.text("Hello");
    running.finish();
    drop(running);
    first.read_all().await;
    for client in [&mut second, &mut third] {
        completes(&node, client, &node.provider).await;
    }
}

#[tokio::test]
async fn one_who_waits_can_be_cancelled_and_leaves_the_line() {
    let node = node(narrow(1, 1)).await;
    let first = node.respond(node.plan()).await;
    let running = node.provider.asked().await;
    let second = node.respond(node.plan()).await;
    let outcome = node.antiphon.cancel(node.user, second.id).await.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    let mut third = node.respond(node.plan()).await;
    assert_eq!(node.antiphon.cancel(node.user, first.id).await.unwrap().status, Status::Cancelled);
    running.closed().await;
    completes(&node, &mut third, &node.provider).await;
}

#[tokio::test]
async fn one_who_waits_too_long_fails_with_that_cause() {
    let limits = ProviderOptions { queue_timeout: Duration::from_millis(50), ..narrow(1, 1) };
    let node = node(limits).await;
    let _first = node.respond(node.plan()).await;
    let _running = node.provider.asked().await;
    let second = node.antiphon.respond(node.plan(), DeliveryMode::Ending).await.unwrap();
    let outcome = ending(second).await;
    assert_eq!((outcome.status, outcome.cause), (Status::Failed, Some(Cause::QueueTimeout)));
}

#[tokio::test]
async fn one_caller_can_not_take_all_places() {
    let max_concurrent_per_key = NonZeroUsize::new(1);
    let limits = narrow(4, 4);
    let node = node(ProviderOptions { gate: GateLimits { max_concurrent_per_key, ..limits.gate }, ..limits }).await;
    let _first = node.respond(node.plan()).await;
    let refused = node.antiphon.respond(node.plan(), DeliveryMode::Ending).await;
    assert_eq!(refused.unwrap_err(), Refusal::KeyBusy);
    let other = RunPlan { caller: "another".to_owned(), ..node.plan() };
    assert!(node.antiphon.respond(other, DeliveryMode::Ending).await.is_ok());
}

#[tokio::test]
async fn a_place_is_free_again_whatever_ended_the_response() {
    let node = TestNode::start_limited(antiphon::testkit::impatient(), narrow(1, 0)).await;
    for role in [
        ActorRole::ProviderReader,
        ActorRole::ResponseSupervisor,
        ActorRole::PersistenceAccumulator,
        ActorRole::ClientEmitter,
    ] {
        for fault in [Fault::Panic, Fault::Stop, Fault::Hang] {
            let client = node.respond(node.plan()).await;
            let call = node.provider.asked().await;
            call.open();
            call.text("Hello");
            assert_eq!(node.antiphon.roster().inflict(Label::of(role, client.id), fault).await, 1);
            drop(client);
            call.closed().await;
            let free = async {
                while node.antiphon.providers()["puppet"].gate.running > 0 {
                    tokio::task::yield_now().await;
                }
            };
            let free = tokio::time::timeout(Duration::from_secs(20), free).await;
            assert!(free.is_ok(), "{role} keeps the place after {fault:?}");
        }
    }
}

#[tokio::test]
async fn json_that_is_nested_too_deeply_never_gets_into_the_log() {
    let nested = |levels| (0..levels).fold(serde_json::json!("end"), |inner, _| serde_json::json!([inner]));
    for (levels, status) in [(60, Status::Completed), (127, Status::Failed), (1_000, Status::Failed)] {
        let node = node(eager()).await;
        let mut client = node.respond(node.plan()).await;
        let call = node.provider.asked().await;
        call.open();
        let fields = [("type".to_owned(), "acme:dream".into()), ("deep".to_owned(), nested(levels))];
        let fields = JsonObject::from_iter(fields);
        let finished = ProviderEvent::Finished(antiphon::domain::FinishReason::Stop);
        call.events([ProviderEvent::OtherItemStarted { item: 0, fields }, finished]);
        drop(call);
        client.read_all().await;
        assert_eq!(node.antiphon.retrieve(node.user, client.id).await.unwrap().status, status, "{levels}");
    }
}

fn tool(name: &str) -> Tool {
    Tool::Function(FunctionTool { name: name.to_owned(), description: None, parameters: None, strict: None })
}

#[tokio::test]
async fn a_function_that_may_not_be_called_never_reaches_the_client() {
    let only_other = NarrowChoice::Function { name: "other".to_owned() };
    let forbidden = [
        (vec![], ToolChoice::default()),
        (vec![tool("other")], ToolChoice::default()),
        (vec![tool("f")], ToolChoice::Mode(ToolMode::None)),
        (vec![tool("f"), tool("other")], ToolChoice::Narrow(only_other)),
    ];
    for (tools, tool_choice) in forbidden {
        let node = node(eager()).await;
        let mut plan = node.plan();
        let request = Arc::make_mut(&mut plan.request);
        (request.tools, request.tool_choice) = (tools, tool_choice);
        let mut client = node.respond(plan).await;
        let call = node.provider.asked().await;
        call.open();
        let started = ProviderEvent::FunctionCallStarted { call: 0, call_id: "c".to_owned(), name: "f".to_owned() };
        call.events([started, ProviderEvent::Finished(antiphon::domain::FinishReason::ToolCalls)]);
        client.read_all().await;
        let outcome = ending_of(&node, client.id).await;
        assert_eq!((outcome.status, outcome.cause), (Status::Failed, Some(Cause::ProviderProtocolError)));
        assert!(!client.frames.concat().contains("function_call_arguments"), "{:#?}", client.frames);
    }
}
