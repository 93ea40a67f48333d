#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use futures_util::FutureExt as _;

use super::*;

/// Opens after two failures, for five seconds; one slot; two free retries.
fn control() -> UpstreamControl {
    let policy = UpstreamPolicy {
        gate: GateLimits { max_concurrent: NonZeroUsize::MIN, max_queue: 1, max_concurrent_per_key: None },
        breaker: BreakerPolicy { failures: 2, ..BreakerPolicy::default() },
        retry_budget: RetryBudgetPolicy { free: 2, ..RetryBudgetPolicy::default() },
    };
    UpstreamControl::new(policy, || Jitter::LEAST)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

/// A control whose breaker opened at zero seconds.
fn open() -> UpstreamControl {
    let control = control();
    for _ in 0..2 {
        control.admit(at(0)).unwrap().failed(Cause::ProviderUnreachable, at(0));
    }
    control
}

fn refusal(control: &UpstreamControl, now: Timestamp) -> Duration {
    control.admit(now).unwrap_err().retry_after
}

#[test]
fn a_provider_that_is_down_is_left_alone_and_its_first_answer_lets_the_others_in() {
    let control = open();
    assert_eq!(refusal(&control, at(1)), Duration::from_secs(4));
    let mut probe = control.admit(at(5)).unwrap();
    assert_eq!(control.health(at(5)).breaker, BreakerState::HalfOpen);
    assert_eq!(refusal(&control, at(5)), Duration::from_secs(5));
    probe.answered();
    assert_eq!(control.health(at(5)).breaker, BreakerState::Closed);
    let _other = control.admit(at(5)).unwrap();
    probe.succeeded();
    control.admit(at(6)).unwrap().failed(Cause::IdleTimeout, at(6));
    assert_eq!(control.health(at(6)).breaker, BreakerState::Closed);
}

#[test]
fn a_failed_probe_keeps_the_provider_alone_for_longer() {
    let control = open();
    control.admit(at(5)).unwrap().failed(Cause::ConnectTimeout, at(5));
    assert_eq!(refusal(&control, at(5)), Duration::from_secs(10));
}

#[test]
fn a_pass_that_is_dropped_or_lost_in_a_panic_says_nothing() {
    let control = open();
    drop(control.admit(at(5)).unwrap());
    let probe = control.admit(at(5)).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _probe = probe;
        resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    assert_eq!(control.health(at(5)).breaker, BreakerState::Open { retry_after: Duration::ZERO });
    control.admit(at(5)).unwrap().succeeded();
    assert_eq!(control.health(at(5)).breaker, BreakerState::Closed);
}

#[test]
fn first_attempts_pay_for_retries_and_retries_and_refused_attempts_do_not() {
    let control = control();
    let drain = || std::iter::repeat_with(|| control.may_retry(at(0))).take(100).filter(|allowed| *allowed).count();
    assert_eq!(drain(), 2);
    for _ in 0..10 {
        control.admit(at(0)).unwrap().succeeded();
    }
    assert_eq!(drain(), 2, "a fifth of ten");
    for _ in 0..10 {
        control.readmit(at(0)).unwrap().succeeded();
    }
    for _ in 0..2 {
        control.readmit(at(0)).unwrap().failed(Cause::ProviderUnavailable, at(0));
    }
    for _ in 0..10 {
        let _refused = control.admit(at(0)).unwrap_err();
    }
    assert_eq!(drain(), 0);
}

#[test]
fn a_fixed_source_fixes_the_cool_down() {
    let policy = UpstreamPolicy {
        gate: GateLimits { max_concurrent: NonZeroUsize::MIN, max_queue: 0, max_concurrent_per_key: None },
        breaker: BreakerPolicy { failures_on_trial: 1, ..BreakerPolicy::default() },
        retry_budget: RetryBudgetPolicy::default(),
    };
    let control = UpstreamControl::new(policy, || Jitter::from_bits(1 << 31));
    assert_eq!(control.jitter(), Jitter::from_bits(1 << 31));
    control.admit(at(0)).unwrap().failed(Cause::ProviderUnavailable, at(0));
    assert_eq!(refusal(&control, at(0)), Duration::from_millis(4_375));
}

#[test]
fn health_tells_who_runs_and_who_waits() {
    let control = control();
    let running = control.enter("a").unwrap().granted().now_or_never().unwrap();
    let _waiting = control.clone().enter("b").unwrap();
    assert_eq!(control.enter("c").unwrap_err(), GateRefusal::QueueFull);
    let gate = control.health(at(0)).gate;
    assert_eq!((gate.running, gate.waiting, gate.refused_queue_full), (1, 1, 1));
    drop(running);
    assert_eq!(control.health(at(0)).gate.waiting, 0);
}

#[test]
fn random_fractions_differ() {
    let drawn: HashSet<Duration> = (0..100).map(|_| random_jitter().of(Duration::from_secs(3_600))).collect();
    assert!(drawn.len() > 90, "only {} of 100", drawn.len());
    let low = drawn.iter().filter(|wait| **wait < Duration::from_secs(1_800)).count();
    assert!((10..90).contains(&low), "{low} are below the middle");
}

#[test]
fn what_actors_hold_may_move_between_threads() {
    fn is_send<T: Send + 'static>() {}
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<UpstreamControl>();
    is_shared::<Gate>();
    is_shared::<Pass>();
    is_send::<Ticket>();
    is_shared::<crate::Permit>();
}
