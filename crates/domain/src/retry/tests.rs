use proptest::prelude::*;

use super::*;

const POLICY: RetryPolicy = RetryPolicy {
    max_retries: 2,
    base_delay: Duration::from_millis(250),
    longest_delay: Duration::from_secs(8),
    longest_retry_after: Duration::from_secs(10),
};

const BUSY: Failure = Failure::new(Cause::ProviderUnavailable, Some(503), None);

fn busy_for(seconds: u64) -> Failure {
    Failure::new(Cause::ProviderRateLimited, Some(429), Some(Duration::from_secs(seconds)))
}

/// Two targets; the first was asked, and asked again that often.
fn after_retries(retries: u32) -> Attempts {
    let mut attempts = Attempts::at(2);
    let _ = attempts.open();
    for _ in 0..retries {
        attempts.follow(Next::Retry { after: Duration::ZERO });
        let _ = attempts.open();
    }
    attempts
}

fn next(attempts: &Attempts, failure: &Failure) -> Next {
    POLICY.next(attempts, failure, Jitter::LEAST, || true)
}

#[test]
fn every_failure_has_its_class() {
    use Cause::*;
    use FailureClass::*;
    for (cause, status, class) in [
        (ProviderUnreachable, None, NotAccepted),
        (ConnectTimeout, None, NotAccepted),
        (ServerOverloaded, None, NotAccepted),
        (ProviderRejected, Some(408), NotAccepted),
        (ProviderRateLimited, Some(429), NotAccepted),
        (ProviderUnavailable, Some(500), NotAccepted),
        (ProviderUnavailable, Some(503), NotAccepted),
        (ProviderUnavailable, Some(529), NotAccepted),
        (ProviderRateLimited, None, NotAccepted),
        (ProviderUnavailable, None, NotAccepted),
        (ProviderReportedError, Some(429), NotAccepted),
        (ProviderReportedError, Some(503), NotAccepted),
        (FirstByteTimeout, None, Unknown),
        (IdleTimeout, Some(200), Unknown),
        (UpstreamClosed, None, Unknown),
        (InternalError, None, Unknown),
        (ProviderProtocolError, None, Unknown),
        (ProviderReportedError, None, Unknown),
        (ProviderUnauthorized, Some(401), Refused),
        (ProviderRejected, Some(402), Refused),
        (ProviderUnauthorized, Some(403), Refused),
        (ProviderRejected, Some(404), Refused),
        (ProviderUnavailable, Some(302), Refused),
        (ProviderUnauthorized, None, Refused),
        (ProviderRejected, Some(400), Rejected),
        (ProviderRejected, Some(409), Rejected),
        (ProviderRejected, Some(413), Rejected),
        (ProviderRejected, Some(422), Rejected),
        (ProviderReportedError, Some(400), Rejected),
        (ProviderRejected, None, Rejected),
        (ContentTooLarge, None, Rejected),
        (DeadlineExceeded, None, Rejected),
        (ServerInterrupted, None, Rejected),
        (DatabaseUnavailable, Some(503), Rejected),
    ] {
        assert_eq!(FailureClass::of(cause, status), class, "{cause:?} with {status:?}");
    }
}

#[test]
fn a_class_decides_between_the_same_target_the_next_one_and_none() {
    let retry = Next::Retry { after: Duration::ZERO };
    let fallback = Next::Fallback { target: 1 };
    for (cause, status, expected) in [
        (Cause::ProviderUnavailable, Some(503), retry),
        (Cause::ProviderUnreachable, None, retry),
        (Cause::FirstByteTimeout, None, fallback),
        (Cause::ProviderUnauthorized, Some(401), fallback),
        (Cause::ProviderRejected, Some(400), Next::GiveUp),
    ] {
        assert_eq!(next(&after_retries(0), &Failure::new(cause, status, None)), expected, "{cause:?}");
    }
    let empty = Failure::new(Cause::ProviderProtocolError, None, None).without_outcome();
    assert_eq!(next(&after_retries(0), &empty), retry);
    assert_eq!(POLICY.reattach_after(0, &empty, Jitter::LEAST), Reattach::Pointless);
}

#[test]
fn a_target_is_retried_as_often_as_the_policy_says_then_the_next_one_is_asked_and_then_nothing() {
    let mut attempts = Attempts::at(2);
    let mut steps = Vec::new();
    for number in 1.. {
        assert_eq!(attempts.open(), number);
        let next = next(&attempts, &BUSY);
        steps.push((attempts.target(), next));
        if next == Next::GiveUp {
            break;
        }
        attempts.follow(next);
    }
    let retry = Next::Retry { after: Duration::ZERO };
    let first = [(0, retry), (0, retry), (0, Next::Fallback { target: 1 })];
    assert_eq!(steps, [first.as_slice(), &[(1, retry), (1, retry), (1, Next::GiveUp)]].concat());
}

#[test]
fn the_ceiling_of_the_wait_doubles_up_to_the_longest_delay() {
    let policy = RetryPolicy { max_retries: 40, ..POLICY };
    for (retries, ceiling) in [(0, 250), (1, 500), (2, 1_000), (4, 4_000), (5, 8_000), (6, 8_000), (33, 8_000)] {
        let wait = |jitter| policy.wait(retries, None, jitter).map(|wait| wait.as_micros());
        assert_eq!(wait(Jitter::LEAST), Some(0), "retry {retries}");
        assert_eq!(wait(Jitter::from_bits(1 << 31)), Some(ceiling * 500), "retry {retries}");
        assert_eq!(wait(Jitter::MOST), Some(ceiling * 1_000 - 1), "retry {retries}");
    }
}

#[test]
fn a_wait_that_the_provider_asks_for_is_kept_or_the_target_is_left() {
    let after = |seconds| Next::Retry { after: Duration::from_secs(seconds) };
    for (asked, expected) in [
        (0, after(0)),
        (1, after(1)),
        (10, after(10)),
        (11, Next::Fallback { target: 1 }),
        (999_999_999, Next::Fallback { target: 1 }),
    ] {
        assert_eq!(next(&after_retries(0), &busy_for(asked)), expected, "{asked} s");
    }
    let millisecond = Failure { retry_after: Some(Duration::from_millis(1)), ..BUSY };
    let next = POLICY.next(&after_retries(0), &millisecond, Jitter::from_bits(1 << 31), || true);
    assert_eq!(next, Next::Retry { after: Duration::from_millis(125) }, "the longer of the two waits counts");
}

#[test]
fn nobody_waits_longer_than_ten_seconds_unless_it_is_configured() {
    let most = Duration::from_secs(10);
    for (asked, expected) in [(most, Some(most)), (most + Duration::from_millis(1), None)] {
        assert_eq!(RetryPolicy::default().wait(0, Some(asked), Jitter::LEAST), expected, "{asked:?}");
    }
}

#[test]
fn without_budget_a_retry_becomes_a_fallback() {
    let refuse = || false;
    assert_eq!(POLICY.next(&after_retries(0), &BUSY, Jitter::LEAST, refuse), Next::Fallback { target: 1 });
    let mut alone = Attempts::at(1);
    let _ = alone.open();
    assert_eq!(POLICY.next(&alone, &BUSY, Jitter::LEAST, refuse), Next::GiveUp);
}

#[test]
fn the_budget_is_asked_only_where_a_retry_would_follow() {
    for (attempts, failure) in [
        (after_retries(2), BUSY),
        (after_retries(0), busy_for(11)),
        (after_retries(0), Failure::new(Cause::IdleTimeout, None, None)),
        (after_retries(0), Failure::new(Cause::ProviderRejected, Some(400), None)),
    ] {
        let mut asked = false;
        let _ = POLICY.next(&attempts, &failure, Jitter::LEAST, || {
            asked = true;
            true
        });
        assert!(!asked, "{failure:?}");
    }
}

#[test]
fn where_this_server_could_not_ask_it_tries_again_without_the_budget_before_it_asks_another() {
    let own = Failure::new(Cause::ServerOverloaded, None, Some(Duration::from_secs(1)));
    let never = RetryPolicy { max_retries: 0, ..POLICY };
    let mut attempts = Attempts::at(2);
    let next = |attempts: &Attempts| never.next(attempts, &own, Jitter::LEAST, || unreachable!("no budget is spent"));
    for _ in 0..10 {
        assert_eq!(next(&attempts), Next::Retry { after: Duration::from_secs(1) });
        attempts.follow(Next::Retry { after: Duration::ZERO });
    }
    assert_eq!(next(&attempts), Next::Fallback { target: 1 });
}

#[test]
fn a_target_that_was_not_asked_is_not_waited_for() {
    let closed = Failure::not_asked(Cause::ProviderUnavailable, Some(Duration::from_secs(1)));
    assert_eq!(next(&after_retries(0), &closed), Next::Fallback { target: 1 });
}

#[test]
fn nothing_follows_once_output_began() {
    for cause in Cause::ALL {
        for status in [None, Some(401), Some(429), Some(503)] {
            let mut attempts = after_retries(0);
            attempts.output_began();
            assert_eq!(next(&attempts, &Failure::new(*cause, status, None)), Next::GiveUp, "{cause:?} {status:?}");
        }
    }
}

/// Seconds that a provider asks to be left alone for.
fn asked() -> impl Strategy<Value = u64> {
    prop_oneof![0..120_u64, any::<u64>()]
}

proptest! {
    #[test]
    fn attempts_and_waits_are_bounded_whatever_is_configured_asked_and_drawn(
        max_retries in any::<u32>(),
        delays in any::<[u64; 3]>(),
        failures in prop::collection::vec((0..Cause::ALL.len(), prop::option::of(100..600_u16), asked()), 1..20),
        bits in any::<u32>(),
        targets in 0..100_usize,
    ) {
        let [base_delay, longest_delay, longest_retry_after] = delays.map(Duration::from_secs);
        let policy = RetryPolicy { max_retries, base_delay, longest_delay, longest_retry_after };
        let mut attempts = Attempts::at(targets);
        let mut failures = failures.iter().cycle();
        loop {
            let number = attempts.open();
            prop_assert!(number <= MOST_ATTEMPTS);
            let (cause, status, asked) = failures.next().unwrap_or(&(0, None, 0));
            let failure = Failure::new(Cause::ALL[*cause], *status, Some(Duration::from_secs(*asked)));
            let next = policy.next(&attempts, &failure, Jitter::from_bits(bits), || true);
            match next {
                Next::Retry { after } => {
                    prop_assert!(after <= Duration::from_secs(60));
                    prop_assert!(after >= Duration::from_secs(*asked));
                }
                Next::Fallback { target } => prop_assert!(target == attempts.target() + 1 && target < targets),
                Next::GiveUp => break,
            }
            attempts.follow(next);
        }
    }
}
