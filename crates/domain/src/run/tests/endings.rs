//! How a run ends, from wherever it is.

use super::*;

/// What the ending is if it is decided in that situation.
fn decided_before(situation: Situation) -> bool {
    matches!(situation, Situation::Settling | Situation::Over)
}

#[test]
fn a_cancel_ends_it_wherever_it_is_and_only_once() {
    for situation in SITUATIONS {
        let mut performer = at(situation, setup());
        performer.feed(RunEvent::Command(RunCommand::Cancel));
        performer.feed(RunEvent::Command(RunCommand::Cancel));
        if situation != Situation::Over {
            let expected = if decided_before(situation) { Status::Completed } else { Status::Cancelled };
            assert_eq!(performer.ends(), (expected, None), "{situation:?}");
        }
        assert!(performer.count(|effect| matches!(effect, RunEffect::AnswerCancels)) > 0, "{situation:?}");
    }
}

#[test]
fn the_deadline_ends_it_wherever_a_provider_was_asked() {
    for situation in [Situation::Opening, Situation::Reading, Situation::Pausing, Situation::RunningTools] {
        let mut performer = at(situation, setup());
        assert!(performer.timers.contains(&Timer::Deadline), "{situation:?}");
        performer.feed(RunEvent::TimerFired(Timer::Deadline));
        assert_eq!(performer.ends(), (Status::Failed, Some(Cause::DeadlineExceeded)), "{situation:?}");
    }
}

#[test]
fn a_lost_client_ends_it_after_the_grace_unless_it_comes_back() {
    for situation in
        [Situation::AwaitingSlot, Situation::Opening, Situation::Reading, Situation::Pausing, Situation::RunningTools]
    {
        let mut performer = at(situation, setup());
        performer.feed(RunEvent::Client { client: 0, event: ClientEvent::Left });
        performer.feed(RunEvent::Client { client: 1, event: ClientEvent::Joined(ClientNeed::Ending) });
        assert!(!performer.timers.contains(&Timer::Grace), "{situation:?}");
        performer.feed(RunEvent::Client { client: 1, event: ClientEvent::Left });
        performer.feed(RunEvent::TimerFired(Timer::Grace));
        assert_eq!(performer.ends(), (Status::Incomplete, None), "{situation:?}");
    }
}

#[test]
fn nobody_waits_for_an_absent_database_for_ever() {
    for situation in SITUATIONS.into_iter().filter(|situation| *situation != Situation::Over) {
        let mut performer = at(situation, setup());
        let silent = |seconds| RunEvent::Store(StoreEvent::Silent { waited: Duration::from_secs(seconds) });
        performer.feed(silent(29));
        let unavailable = |effect: &RunEffect| matches!(effect, RunEffect::AnnounceUnavailable);
        assert_eq!(performer.count(unavailable), 0, "{situation:?}");
        performer.feed(silent(30));
        performer.feed(silent(31));
        assert_eq!((performer.count(unavailable), performer.run.phase()), (1, RunPhase::Unavailable), "{situation:?}");
        // Whoever asks to cancel is told so, and the ending is stored once the database is back.
        performer.feed(RunEvent::Command(RunCommand::Cancel));
        assert_eq!(performer.count(|effect| matches!(effect, RunEffect::RefuseCancels)), 2, "{situation:?}");
        let expected = match decided_before(situation) {
            true => (Status::Completed, None),
            false => (Status::Failed, Some(Cause::DatabaseUnavailable)),
        };
        assert_eq!(performer.ends(), expected, "{situation:?}");
    }
}

#[test]
fn an_admission_that_takes_too_long_is_refused_and_settled_when_it_comes() {
    let mut performer = performer(setup());
    performer.feed(RunEvent::Started);
    performer.feed(RunEvent::Store(StoreEvent::Silent { waited: Duration::from_secs(5) }));
    assert_eq!(performer.admission, Some(Err(AdmissionFailure::DatabaseAway)));
    assert_eq!(performer.ending, None, "there is nothing to end yet");
    performer.admitted();
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::DatabaseUnavailable)));
}

#[test]
fn a_cancel_before_the_admission_waits_for_it() {
    let mut performer = performer(setup());
    performer.feed(RunEvent::Started);
    performer.feed(RunEvent::Command(RunCommand::Cancel));
    assert_eq!((performer.slot, performer.ending), (Slot::None, None));
    performer.admitted();
    assert_eq!(performer.admission, Some(Ok(())));
    assert_eq!(performer.ends(), (Status::Cancelled, None));
}

#[test]
fn what_the_database_refuses_is_submitted_again_but_not_an_admission() {
    let mut refused = performer(setup());
    refused.feed(RunEvent::Started);
    refused.feed(RunEvent::Store(StoreEvent::Refused));
    assert_eq!(refused.admission, Some(Err(AdmissionFailure::Failed)));
    assert_eq!(refused.farewell, Some(Farewell::Abandoned));

    let mut later = at(Situation::Settling, setup());
    for _ in 0..3 {
        later.feed(RunEvent::Store(StoreEvent::Refused));
        later.feed(RunEvent::TimerFired(Timer::StoreRetry));
    }
    assert_eq!(later.count(|effect| matches!(effect, RunEffect::RetryStore)), 3);
    assert_eq!(later.ends(), (Status::Completed, None));
}

#[test]
fn what_is_refused_again_and_again_is_tried_ever_less_often_and_left_to_be_settled_once_nobody_waits() {
    let mut performer = at(Situation::Settling, setup());
    for _ in 0..3 {
        performer.feed(RunEvent::Store(StoreEvent::Refused));
        performer.feed(RunEvent::TimerFired(Timer::StoreRetry));
    }
    let pause = |effect: &RunEffect| {
        if let RunEffect::StartTimer { timer: Timer::StoreRetry, after } = effect {
            Some(after.as_millis())
        } else {
            None
        }
    };
    assert_eq!(performer.effects.iter().filter_map(pause).collect::<Vec<_>>(), [250, 500, 1_000]);
    assert_eq!(performer.farewell, None, "the database may take it yet");
    performer.feed(RunEvent::Store(StoreEvent::Silent { waited: Duration::from_secs(60) }));
    performer.feed(RunEvent::Store(StoreEvent::Refused));
    assert_eq!(performer.farewell, Some(Farewell::Abandoned));
}

#[test]
fn who_lost_the_response_leaves_it_alone() {
    for situation in SITUATIONS.into_iter().filter(|situation| *situation != Situation::Over) {
        let mut performer = at(situation, reattachable());
        performer.feed(RunEvent::Client { client: 1, event: ClientEvent::Joined(ClientNeed::Events) });
        performer.feed(RunEvent::Store(StoreEvent::Stored { facts: performer.log.len() as u64 }));
        performer.feed(RunEvent::Store(StoreEvent::OwnershipLost(Disowned::OtherOwner)));
        assert_eq!(performer.farewell, Some(Farewell::Abandoned), "{situation:?}");
        let ends = |fact: &Fact| matches!(fact, Fact::Ended { .. });
        assert_eq!(
            performer.facts(ends),
            usize::from(decided_before(situation) && !performer.estimating),
            "{situation:?}"
        );
        assert_eq!(performer.cancelled_calls(), 0, "{situation:?}: the other owner may listen to the call");
    }
}

#[test]
fn who_lost_the_response_ends_a_call_that_no_other_owner_can_find() {
    // Stored: whether the provider's id of the call is durable. Not stored: there is no log to find it in.
    for (store, durable, cancelled) in [(true, false, 1), (true, true, 0), (false, false, 1), (false, true, 1)] {
        let mut setup = reattachable();
        Arc::make_mut(&mut setup.request).store = store;
        let mut performer = at(Situation::Reading, setup);
        if durable {
            performer.stored();
        }
        performer.feed(RunEvent::Store(StoreEvent::OwnershipLost(Disowned::OtherOwner)));
        let seen = (performer.farewell, performer.cancelled_calls());
        assert_eq!(seen, (Some(Farewell::Abandoned), cancelled), "{store} {durable}");
    }
}

#[test]
fn a_provider_is_told_to_end_its_work_once_the_ending_is_durable_and_where_nobody_owns_the_response() {
    let mut cancelled = at(Situation::Reading, reattachable());
    cancelled.feed(RunEvent::Command(RunCommand::Cancel));
    assert_eq!((cancelled.reader, cancelled.cancelled_calls()), (None, 0));
    cancelled.ending_stored();
    assert_eq!(cancelled.cancelled_calls(), 1);

    let mut taken = at(Situation::Reading, reattachable());
    taken.stored();
    taken.feed(RunEvent::Command(RunCommand::Cancel));
    taken.feed(RunEvent::Store(StoreEvent::OwnershipLost(Disowned::OtherOwner)));
    assert_eq!((taken.farewell, taken.cancelled_calls()), (Some(Farewell::Abandoned), 0));

    for situation in SITUATIONS.into_iter().filter(|situation| *situation != Situation::Over) {
        let mut deleted = at(situation, reattachable());
        deleted.feed(RunEvent::Store(StoreEvent::OwnershipLost(Disowned::Deleted)));
        assert_eq!(deleted.farewell, Some(Farewell::Abandoned), "{situation:?}");
        assert_eq!(deleted.cancelled_calls(), usize::from(situation == Situation::Reading), "{situation:?}");
    }
}

#[test]
fn a_response_without_the_key_gives_way() {
    let mut performer = performer(RunSetup { claims_key: true, ..setup() });
    performer.feed(RunEvent::Started);
    performer.feed(RunEvent::Store(StoreEvent::OwnershipLost(Disowned::NotAdmitted(AdmissionFailure::KeyTaken))));
    assert_eq!(performer.admission, Some(Err(AdmissionFailure::KeyTaken)));
    assert_eq!((performer.farewell, performer.ending), (Some(Farewell::Left), None));
}

#[test]
fn a_silent_failure_gives_the_key_back_unless_a_client_was_told_of_a_success() {
    for (claims_key, withdrawn, says, released) in [
        (true, true, None, true),
        (true, false, None, false),
        (false, true, None, false),
        (true, true, Some("Hello"), false),
    ] {
        let mut performer = performer(RunSetup { claims_key, ..setup() });
        performer.answers.withdrawn = withdrawn;
        performer.feed(RunEvent::Started);
        performer.admitted();
        performer.says(says.map(text).into_iter().collect::<Vec<_>>());
        performer.fails(Cause::ProviderRejected, Some(400));
        assert_eq!(performer.ends(), (Status::Failed, Some(Cause::ProviderRejected)));
        assert_eq!(performer.ending, Some(released), "{claims_key} {withdrawn} {says:?}");
    }
}

#[test]
fn usage_is_a_fact_when_it_is_reported_and_is_estimated_only_where_it_never_was() {
    use antiphon_protocol::Usage;
    let usage =
        |output_tokens| ProviderEvent::Usage(Usage { output_tokens, total_tokens: output_tokens, ..Usage::default() });
    let mut performer = at(Situation::Reading, setup());
    performer.says([usage(1), text("a"), usage(2)]);
    performer.says([usage(2), text("b")]);
    performer.says([usage(3)]);
    let reported: Vec<_> = performer.log.iter().filter(|fact| fact.name() == "usage").cloned().collect();
    assert_eq!(reported, [2, 3].map(|tokens| Fact::Provider { attempt: FIRST, event: usage(tokens) }));
    performer.finishes(FinishReason::Stop);
    assert!(!performer.estimating);
    assert_eq!(performer.ends(), (Status::Completed, None));

    let unreported = at(Situation::Settling, setup());
    let estimated = |effect: &RunEffect| matches!(effect, RunEffect::EstimateUsage(turns) if turns[0].text == "Hello");
    assert_eq!(unreported.count(estimated), 1);
}

#[test]
fn what_is_not_stored_is_shown_at_once_but_for_its_ending() {
    let mut performer = performer(with_request(|request| request.store = false));
    performer.feed(RunEvent::Started);
    assert_eq!(performer.published, 0);
    performer.feed(RunEvent::Store(StoreEvent::Admitted { facts: 0 }));
    performer.says([opened(), text("Hello")]);
    assert_eq!(performer.published, performer.log.len() as u64);
    performer.finishes(FinishReason::Stop);
    performer.feed(RunEvent::UsageEstimated(UsageEstimates::default()));
    assert_eq!(performer.published, performer.log.len() as u64 - 1);
    assert_eq!(performer.ends(), (Status::Completed, None));
    assert_eq!(performer.published, performer.log.len() as u64);
}
