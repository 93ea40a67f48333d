//! Slots, breakers, retries, fallbacks, and calls that are listened to again.

use super::*;
use crate::InputUsage;
use antiphon_protocol::{InputTokensDetails, JsonObject};

/// Accepted, and reading its first attempt.
fn reading(setup: RunSetup) -> Performer {
    let mut performer = performer(setup);
    performer.feed(RunEvent::Started);
    performer.admitted();
    assert_eq!(performer.reader, Some(FIRST));
    performer
}

fn attempt(number: u16) -> Attempt {
    Attempt { turn: 1, number }
}

#[test]
fn a_provider_is_asked_once_the_opening_is_durable() {
    let mut performer = performer(setup());
    performer.feed(RunEvent::Started);
    let names: Vec<_> = performer.log.iter().map(Fact::name).collect();
    assert_eq!(names, ["accepted", "run_policy_set", "deadline_set", "attempt_opening"]);
    performer.feed(RunEvent::Store(StoreEvent::Admitted { facts: 3 }));
    assert_eq!(performer.reader, None);
    performer.stored();
    assert_eq!(performer.reader, Some(FIRST));
}

#[test]
fn a_failure_is_tried_again_then_at_the_next_target_and_then_is_the_end() {
    let mut performer = reading(setup());
    performer.fails(Cause::ProviderUnavailable, Some(503));
    assert_eq!((performer.slot, performer.reader), (Slot::None, None), "nobody waits for a slot that a pause holds");
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    performer.stored();
    assert_eq!(performer.reader, Some(attempt(2)));
    performer.fails(Cause::ProviderUnavailable, Some(503));
    performer.stored();
    assert_eq!(performer.reader, Some(attempt(3)), "at the next target, without a pause");
    performer.says([opened(), text("Hello")]);
    performer.fails(Cause::UpstreamClosed, None);
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::UpstreamClosed)), "nothing after the first output");
    let targets: Vec<_> = performer
        .effects
        .iter()
        .filter_map(|effect| if let RunEffect::OpenAttempt { target, .. } = effect { Some(*target) } else { None })
        .collect();
    assert_eq!(targets, [0, 0, 1]);
}

#[test]
fn without_budget_the_next_target_is_asked() {
    let mut performer = reading(setup());
    performer.answers.budget = RunEvent::RetryDenied;
    performer.fails(Cause::ProviderUnavailable, Some(503));
    performer.stored();
    assert_eq!(performer.reader, Some(attempt(2)));
    assert!(!performer.timers.contains(&Timer::Pause));
    performer.fails(Cause::ProviderUnavailable, Some(503));
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::ProviderUnavailable)));
    assert_eq!(performer.run.hint().provider_status, Some(503));
}

#[test]
fn what_this_server_could_not_ask_is_asked_again_without_a_retry_of_the_providers() {
    let mut performer = reading(setup());
    performer.answers.budget = RunEvent::RetryDenied;
    performer.fails(Cause::ServerOverloaded, None);
    assert!(performer.timers.contains(&Timer::Pause));
    assert_eq!(performer.count(|effect| matches!(effect, RunEffect::SpendRetry { .. })), 0);
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    performer.stored();
    assert_eq!(performer.count(|effect| matches!(effect, RunEffect::OpenAttempt { target: 0, .. })), 2);
}

#[test]
fn a_target_behind_an_open_breaker_is_passed_over_and_the_last_one_ends_it() {
    let mut performer = performer(setup());
    performer.answers.breaker = RunEvent::AttemptRefused { retry_after: Duration::from_secs(7) };
    performer.feed(RunEvent::Started);
    let asked = |effect: &RunEffect| matches!(effect, RunEffect::AdmitAttempt { .. });
    assert_eq!((performer.count(asked), performer.slot), (2, Slot::None));
    performer.admitted();
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::ProviderCircuitOpen)));
    assert_eq!(performer.run.hint().retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn a_slot_that_is_missed_leads_to_the_next_target_and_then_to_the_end() {
    for missed in [RunEvent::SlotRefused, RunEvent::SlotTimedOut] {
        let mut performer = at(Situation::AwaitingSlot, setup());
        performer.feed(missed.clone());
        assert_eq!(performer.count(|effect| matches!(effect, RunEffect::RequestSlot { target: 1, .. })), 1);
        performer.feed(missed);
        assert_eq!(performer.ends(), (Status::Failed, Some(Cause::QueueTimeout)));
    }
}

#[test]
fn a_retry_that_finds_no_slot_leads_to_the_next_target() {
    let mut performer = reading(setup());
    performer.fails(Cause::ProviderUnavailable, Some(503));
    performer.answers.slot = None;
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    assert_eq!(performer.slot, Slot::Awaited, "it is asked for again");
    performer.answers.slot = Some(RunEvent::SlotGranted);
    performer.feed(RunEvent::SlotTimedOut);
    performer.stored();
    assert_eq!(performer.reader, Some(attempt(2)));
    assert_eq!(performer.count(|effect| matches!(effect, RunEffect::OpenAttempt { target: 1, .. })), 1);
}

#[test]
fn a_retry_passes_the_breaker_as_a_retry() {
    let mut performer = reading(setup());
    performer.fails(Cause::ProviderUnavailable, Some(503));
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    let retries = |effect: &RunEffect| matches!(effect, RunEffect::AdmitAttempt { kind: AttemptKind::Retry, .. });
    assert_eq!(performer.count(retries), 1);
}

#[test]
fn what_an_attempt_failed_of_says_more_than_a_slot_that_was_missed_after_it() {
    let mut performer = reading(setup());
    performer.answers.slot = Some(RunEvent::SlotRefused);
    performer.fails(Cause::FirstByteTimeout, None);
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::FirstByteTimeout)));
}

#[test]
fn a_background_response_waits_as_long_as_it_takes() {
    let mut performer = performer(in_background());
    performer.answers.slot = None;
    performer.feed(RunEvent::Started);
    assert_eq!(performer.slot, Slot::None, "it waits until it may begin");
    performer.feed(RunEvent::BackgroundSlotGranted);
    let unbounded = |effect: &RunEffect| {
        matches!(effect, RunEffect::RequestSlot { queue: SlotQueue::Unbounded, patience: None, .. })
    };
    assert_eq!(performer.count(unbounded), 1);
    performer.admitted();
    performer.slot = Slot::Held;
    performer.feed(RunEvent::SlotGranted);
    performer.stored();
    assert_eq!(performer.reader, Some(FIRST));
}

#[test]
fn an_unknown_provider_is_an_error_of_this_server() {
    let mut performer = at(Situation::AwaitingSlot, setup());
    performer.feed(RunEvent::ProviderUnknown);
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::InternalError)));
}

#[test]
fn a_prompt_that_cannot_be_built_ends_it() {
    let mut performer = at(Situation::BuildingPrompt, setup());
    performer.feed(RunEvent::PromptFailed { cause: Cause::HistoryUnavailable });
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::HistoryUnavailable)));
    let mut performer = at(Situation::BuildingPrompt, setup());
    performer.feed(RunEvent::PromptBuilt { targets: Some(vec![target("c")]) });
    performer.stored();
    assert_eq!(performer.reader, Some(FIRST));
}

#[test]
fn what_a_provider_must_not_say_ends_it() {
    let forbidden = [
        call(0, "another_tool"),
        ProviderEvent::ItemFinished { extra: [("x".to_owned(), nested(100))].into_iter().collect() },
    ];
    for event in forbidden {
        let mut performer = reading(setup());
        performer.says([opened(), event]);
        assert_eq!(performer.ends(), (Status::Failed, Some(Cause::ProviderProtocolError)));
    }
    let mut performer = reading(setup());
    performer.says([text(&"x".repeat(999)), text("yz"), text("more")]);
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::ContentTooLarge)));
    assert_eq!(performer.run.transcript().text().map(|text| text.len()), Some(1_000));
}

#[test]
fn a_response_has_as_many_items_and_parts_as_the_limit_says() {
    for (messages, ending) in
        [(20, (Status::Completed, None)), (21, (Status::Failed, Some(Cause::ProviderProtocolError)))]
    {
        let mut performer = reading(setup());
        performer.says([opened()]);
        for _ in 0..messages {
            performer.says([text("x"), ProviderEvent::ItemFinished { extra: JsonObject::new() }]);
        }
        if performer.reader.is_some() {
            performer.finishes(FinishReason::Stop);
        }
        assert_eq!(performer.ends(), ending, "{messages} of an item and a part each, of 40");
    }
}

fn nested(levels: usize) -> serde_json::Value {
    (0..levels).fold(serde_json::Value::Null, |inner, _| serde_json::Value::Array(vec![inner]))
}

#[test]
fn a_call_that_goes_on_without_a_listener_is_listened_to_again() {
    let mut performer = reading(reattachable());
    performer.says([opened(), text("Hel")]);
    performer.fails(Cause::UpstreamClosed, None);
    assert_eq!((performer.slot, performer.pass), (Slot::Held, true));
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    assert_eq!(performer.reader, Some(FIRST), "the same attempt");
    performer.says([opened(), text("Hel"), text("lo")]);
    performer.finishes(FinishReason::Stop);
    assert_eq!(performer.ends(), (Status::Completed, None));
    assert_eq!(performer.run.transcript().text().as_deref(), Some("Hello"));
}

#[test]
fn a_replay_that_differs_ends_it() {
    let mut performer = reading(reattachable());
    performer.says([opened(), text("Hel")]);
    performer.fails(Cause::UpstreamClosed, None);
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    performer.says([opened(), text("Hal"), text("lo")]);
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::ProviderProtocolError)));
    assert_eq!(performer.run.transcript().text().as_deref(), Some("Hel"));
}

#[test]
fn a_call_that_is_not_found_again_is_given_up_and_cancelled() {
    let mut performer = reading(reattachable());
    performer.says([opened(), text("Hel")]);
    let mut times = 0;
    while performer.reader.is_some() {
        performer.fails(Cause::UpstreamClosed, None);
        performer.feed(RunEvent::TimerFired(Timer::Pause));
        times += 1;
    }
    assert_eq!(times, 11);
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::UpstreamClosed)));
    assert_eq!(performer.cancelled_calls(), 1);
}

#[test]
fn a_cancel_during_the_pause_cancels_the_call_at_its_provider() {
    let mut performer = reading(reattachable());
    performer.says([opened()]);
    performer.fails(Cause::UpstreamClosed, None);
    performer.feed(RunEvent::Command(RunCommand::Cancel));
    assert_eq!(performer.ends(), (Status::Cancelled, None));
    assert_eq!(performer.cancelled_calls(), 1);
}

#[test]
fn a_call_is_cancelled_at_its_provider_where_that_may_still_work() {
    for (cause, status, cancelled) in [
        (Cause::IdleTimeout, None, 1),
        (Cause::ProviderProtocolError, None, 1),
        (Cause::InternalError, None, 1),
        (Cause::ProviderReportedError, None, 0),
        (Cause::ProviderRejected, Some(404), 0),
    ] {
        for (setup, expected) in [(reattachable(), cancelled), (setup(), 0)] {
            let mut performer = reading(setup);
            performer.says([opened(), text("Hel")]);
            performer.fails(cause, status);
            assert_eq!(performer.cancelled_calls(), 0, "{cause:?}: not before its failure is durable");
            performer.ends();
            assert_eq!(performer.cancelled_calls(), expected, "{cause:?}");
        }
    }
}

#[test]
fn a_call_that_failed_is_cancelled_before_another_one_ends() {
    let mut performer = reading(reattachable());
    performer.says([opened()]);
    performer.fails(Cause::IdleTimeout, None);
    performer.stored();
    assert_eq!(performer.cancelled_calls(), 1);
    performer.says([opened(), text("Hello")]);
    performer.finishes(FinishReason::Stop);
    assert_eq!((performer.ends(), performer.cancelled_calls()), ((Status::Completed, None), 1));
}

#[test]
fn late_words_of_an_attempt_that_was_given_up_change_nothing() {
    let mut performer = reading(setup());
    performer.fails(Cause::ProviderUnavailable, Some(503));
    let log = performer.log.len();
    performer.feed(RunEvent::ProviderSaid { attempt: FIRST, events: vec![text("late")] });
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    performer.stored();
    performer.feed(RunEvent::ProviderSaid { attempt: FIRST, events: vec![text("late")] });
    let failure = Failure::new(Cause::UpstreamClosed, None, None);
    performer.feed(RunEvent::ProviderEnded { attempt: FIRST, failure, jitter: Jitter::LEAST });
    assert_eq!(performer.reader, Some(attempt(2)));
    assert_eq!(performer.log.len(), log + 1, "only the opening of the second attempt");
}

#[test]
fn whatever_follows_the_finish_of_a_provider_the_response_completes() {
    for cause in [Cause::UpstreamClosed, Cause::InternalError, Cause::ProviderReportedError] {
        let mut performer = reading(setup());
        performer.says([opened(), ProviderEvent::Finished(FinishReason::Stop)]);
        performer.fails(cause, None);
        assert_eq!(performer.ends(), (Status::Completed, None), "{cause:?}");
        let reported = |effect: &RunEffect| matches!(effect, RunEffect::ReportAttempt(AttemptReport::Succeeded));
        assert_eq!(performer.count(reported), 1);
    }
}

fn used(output_tokens: u64) -> ProviderEvent {
    ProviderEvent::Usage(Usage { output_tokens, ..Usage::default() })
}

fn reported(performer: &Performer) -> Vec<u64> {
    let report = |fact: &Fact| {
        let Fact::Provider { event: ProviderEvent::Usage(usage), .. } = fact else { return None };
        Some(usage.output_tokens)
    };
    performer.log.iter().filter_map(report).collect()
}

#[test]
fn usage_is_recorded_when_it_is_reported_and_only_if_it_says_something_new() {
    let mut performer = reading(setup());
    performer.says([opened(), used(1)]);
    performer.says([text("Hel"), used(1)]);
    performer.says([used(2), text("lo"), used(3)]);
    assert_eq!(reported(&performer), [1, 3]);
}

#[test]
fn the_tier_that_a_provider_tells_is_recorded_once_and_shown() {
    let tier = |tier: &str| ProviderEvent::ServiceTier { tier: tier.to_owned() };
    let mut performer = reading(reattachable());
    performer.says([opened(), text("Hel"), tier("flex")]);
    performer.fails(Cause::UpstreamClosed, None);
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    performer.says([opened(), text("Hel"), tier("flex"), text("lo")]);
    performer.finishes(FinishReason::Stop);
    assert_eq!(performer.ends(), (Status::Completed, None));
    assert_eq!(
        performer.facts(|fact| matches!(fact, Fact::Provider { event: ProviderEvent::ServiceTier { .. }, .. })),
        1
    );
    let mut transcript = Transcript::new(id());
    performer.log.iter().cloned().for_each(|fact| transcript.apply(fact, &mut Vec::new()));
    let response = transcript.response().unwrap();
    assert_eq!(
        (response.service_tier.as_ref(), response.clone().as_accepted().service_tier.as_ref()),
        ("flex", "default")
    );
}

#[test]
fn counts_that_contradict_each_other_are_reconciled_before_they_are_recorded_and_absurd_ones_are_not() {
    let mut performer = reading(setup());
    let input_tokens_details = InputTokensDetails { cached_tokens: 4, cache_write_tokens: 0 };
    let prompt = InputUsage { input_tokens: 1, input_tokens_details };
    let usage = Usage { input_tokens: 1, input_tokens_details, output_tokens: 2, total_tokens: 9, ..Usage::default() };
    performer.says([opened(), ProviderEvent::InputUsage(prompt), ProviderEvent::Usage(usage)]);
    performer.says([used(1 << 31), ProviderEvent::InputUsage(InputUsage { input_tokens: 1 << 31, ..prompt })]);
    let recorded: Vec<_> = performer.log.iter().filter(|fact| matches!(fact, Fact::Provider { .. })).cloned().collect();
    let said = [
        opened(),
        ProviderEvent::InputUsage(InputUsage { input_tokens: 5, ..prompt }),
        ProviderEvent::Usage(Usage { input_tokens: 5, total_tokens: 7, ..usage }),
    ];
    assert_eq!(recorded, said.map(|event| Fact::Provider { attempt: FIRST, event }));
}

#[test]
fn a_replay_takes_back_no_usage_that_was_reported_later() {
    let mut performer = reading(reattachable());
    performer.says([opened(), used(1), text("Hel")]);
    performer.says([text("lo"), used(2)]);
    performer.fails(Cause::UpstreamClosed, None);
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    performer.says([opened(), used(1), text("Hel")]);
    assert_eq!(reported(&performer), [1, 2]);
    performer.says([text("lo"), used(2), text("!"), used(3)]);
    assert_eq!(reported(&performer), [1, 2, 3]);
}
