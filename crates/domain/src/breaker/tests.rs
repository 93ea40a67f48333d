#![expect(clippy::panic, reason = "a test that cannot go on fails")]

use proptest::prelude::*;

use super::*;

const FAULTS: [Cause; 6] = [
    Cause::ProviderUnreachable,
    Cause::ConnectTimeout,
    Cause::FirstByteTimeout,
    Cause::IdleTimeout,
    Cause::ProviderUnavailable,
    Cause::UpstreamClosed,
];

/// A breaker, its clock in milliseconds, and no jitter.
struct Bench {
    breaker: Breaker,
    millis: i64,
}

impl Bench {
    fn on_trial() -> Self {
        Self { breaker: Breaker::new(BreakerPolicy::default()), millis: 0 }
    }

    /// A breaker that has seen a success.
    fn trusting() -> Self {
        let mut bench = Self::on_trial();
        bench.succeed();
        bench
    }

    /// A breaker that opened just now, for five seconds.
    fn open() -> Self {
        let mut bench = Self::trusting();
        bench.fail(5);
        bench
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + self.millis * 1_000)
    }

    fn wait(&mut self, millis: i64) -> &mut Self {
        self.millis += millis;
        self
    }

    fn admit(&mut self) -> Admit {
        self.breaker.admit(self.now())
    }

    fn permission(&mut self) -> Permission {
        let Admit::Yes(permission) = self.admit() else { panic!("it does not admit") };
        permission
    }

    fn probe(&mut self) -> Permission {
        let Admit::Probe(permission) = self.admit() else { panic!("it asks for no probe") };
        permission
    }

    /// Asserts a refusal: after how many milliseconds it is worth coming back.
    fn refusal(&mut self) -> u128 {
        let Admit::No { retry_after } = self.admit() else { panic!("it does not refuse") };
        retry_after.as_millis()
    }

    fn succeed(&mut self) {
        let permission = self.permission();
        self.breaker.succeeded(permission);
    }

    fn fail(&mut self, times: usize) {
        for _ in 0..times {
            let permission = self.permission();
            self.fail_with(permission, Cause::ProviderUnavailable);
        }
    }

    fn fail_with(&mut self, permission: Permission, cause: Cause) {
        let now = self.now();
        self.breaker.failed(permission, cause, now, Jitter::LEAST);
    }

    fn state(&self) -> BreakerState {
        self.breaker.state(self.now())
    }
}

#[test]
fn five_faults_in_a_row_open_it_and_four_do_not() {
    for cause in FAULTS {
        let mut bench = Bench::trusting();
        for _ in 0..5 {
            assert_eq!(bench.state(), BreakerState::Closed, "{cause:?}");
            let permission = bench.permission();
            bench.fail_with(permission, cause);
        }
        assert_eq!(bench.state(), BreakerState::Open { retry_after: Duration::from_secs(5) }, "{cause:?}");
        assert_eq!(bench.refusal(), 5_000, "{cause:?}");
    }
}

#[test]
fn a_success_and_a_refusal_of_the_request_begin_the_row_anew() {
    let signs_of_life = [Cause::ProviderRateLimited, Cause::ProviderRejected, Cause::ProviderUnauthorized];
    for life in [None].into_iter().chain(signs_of_life.map(Some)) {
        let mut bench = Bench::trusting();
        bench.fail(4);
        match life {
            Some(cause) => {
                let permission = bench.permission();
                bench.fail_with(permission, cause);
            }
            None => bench.succeed(),
        }
        bench.fail(4);
        assert_eq!(bench.state(), BreakerState::Closed, "{life:?}");
        bench.fail(1);
        assert!(matches!(bench.state(), BreakerState::Open { .. }), "{life:?}");
    }
}

#[test]
fn what_is_no_fault_of_the_provider_neither_counts_nor_begins_the_row_anew() {
    for cause in [Cause::InternalError, Cause::DeadlineExceeded, Cause::ProviderReportedError] {
        let mut bench = Bench::trusting();
        bench.fail(4);
        for _ in 0..10 {
            let permission = bench.permission();
            bench.fail_with(permission, cause);
        }
        assert_eq!(bench.state(), BreakerState::Closed, "{cause:?}");
        bench.fail(1);
        assert!(matches!(bench.state(), BreakerState::Open { .. }), "{cause:?}");
    }
}

#[test]
fn an_answer_ends_a_row_of_missing_answers_but_not_one_of_cut_streams() {
    for (cut, state) in [(false, BreakerState::Closed), (true, BreakerState::Open { retry_after: Duration::ZERO })] {
        let mut bench = Bench::trusting();
        for _ in 0..4 {
            let mut permission = bench.permission();
            if cut {
                bench.breaker.answered(&mut permission);
            }
            bench.fail_with(permission, Cause::IdleTimeout);
        }
        let mut streaming = bench.permission();
        bench.breaker.answered(&mut streaming);
        bench.fail(1);
        assert_eq!(bench.wait(5_000).state(), state, "cut: {cut}");
    }
}

#[test]
fn after_the_cool_down_one_probe_at_a_time_decides_for_all() {
    let mut bench = Bench::open();
    assert_eq!(bench.wait(4_999).refusal(), 1);
    let probe = bench.wait(1).probe();
    assert_eq!(bench.state(), BreakerState::HalfOpen);
    assert_eq!(bench.refusal(), 5_000);
    bench.breaker.succeeded(probe);
    bench.fail(4);
    assert_eq!(bench.state(), BreakerState::Closed, "a success restores all trust");
}

#[test]
fn the_cool_down_doubles_with_each_failed_probe_up_to_a_minute_and_a_success_resets_it() {
    let mut bench = Bench::open();
    for seconds in [5, 10, 20, 40, 60, 60] {
        assert_eq!(bench.refusal(), seconds * 1_000);
        let probe = bench.wait(seconds as i64 * 1_000).probe();
        bench.fail_with(probe, Cause::ConnectTimeout);
    }
    let probe = bench.wait(60_000).probe();
    bench.breaker.succeeded(probe);
    bench.fail(5);
    assert_eq!(bench.refusal(), 5_000);
}

#[test]
fn a_probe_that_a_provider_refuses_has_shown_that_it_lives() {
    let mut bench = Bench::open();
    let probe = bench.wait(5_000).probe();
    bench.fail_with(probe, Cause::ProviderRateLimited);
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn a_probe_that_is_given_up_leaves_the_next_one_to_probe() {
    let mut bench = Bench::open();
    bench.wait(5_000);
    for _ in 0..3 {
        let probe = bench.probe();
        bench.breaker.given_up(probe);
        assert_eq!(bench.state(), BreakerState::Open { retry_after: Duration::ZERO });
    }
    let probe = bench.probe();
    bench.fail_with(probe, Cause::InternalError);
    let probe = bench.probe();
    bench.fail_with(probe, Cause::ProviderUnreachable);
    assert_eq!(bench.refusal(), 10_000, "those that were given up doubled nothing");
}

#[test]
fn a_probe_that_is_lost_without_a_word_keeps_others_out_for_a_minute_at_most() {
    let mut bench = Bench::open();
    let lost = bench.wait(5_000).probe();
    assert_eq!(bench.wait(59_999).refusal(), 1);
    let second = bench.wait(1).probe();
    bench.fail_with(lost, Cause::ProviderUnreachable);
    assert_eq!(bench.state(), BreakerState::HalfOpen, "the second probe decides now");
    bench.breaker.succeeded(second);
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn a_probe_that_was_superseded_still_closes_it_with_a_success() {
    let mut bench = Bench::open();
    let slow = bench.wait(5_000).probe();
    let second = bench.wait(60_000).probe();
    bench.breaker.succeeded(slow);
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.fail_with(second, Cause::ProviderUnreachable);
    assert_eq!(bench.state(), BreakerState::Closed, "its probe is of a time that is over");
}

#[test]
fn an_answered_probe_lets_the_others_in_on_trial() {
    let mut bench = Bench::open();
    let mut probe = bench.wait(5_000).probe();
    bench.breaker.answered(&mut probe);
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.fail(1);
    bench.fail_with(probe, Cause::UpstreamClosed);
    assert_eq!(bench.refusal(), 10_000, "the second failure opens it, and the outage is still the same");
}

#[test]
fn stragglers_from_before_it_opened_change_nothing() {
    let mut bench = Bench::trusting();
    let (early_success, early_failure) = (bench.permission(), bench.permission());
    let mut early_answer = bench.permission();
    bench.fail(5);
    bench.wait(1_000);
    bench.fail_with(early_failure, Cause::IdleTimeout);
    bench.breaker.answered(&mut early_answer);
    bench.breaker.succeeded(early_success);
    assert_eq!(bench.refusal(), 4_000);
    let _probe = bench.wait(4_000).probe();
    bench.breaker.given_up(early_answer);
    assert_eq!(bench.state(), BreakerState::HalfOpen);
}

#[test]
fn a_restart_in_an_outage_opens_it_after_two_failures_instead_of_five() {
    let mut bench = Bench::on_trial();
    bench.fail(1);
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.fail(1);
    assert_eq!(bench.refusal(), 5_000);
}

#[test]
fn jitter_shortens_a_cool_down_by_less_than_a_quarter() {
    for (jitter, millis) in [(Jitter::LEAST, 5_000), (Jitter::from_bits(1 << 31), 4_375), (Jitter::MOST, 3_750)] {
        let mut bench = Bench::on_trial();
        for _ in 0..2 {
            let (permission, now) = (bench.permission(), bench.now());
            bench.breaker.failed(permission, Cause::ConnectTimeout, now, jitter);
        }
        assert_eq!(bench.refusal(), millis, "{jitter:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_begins_the_cool_down_anew_and_no_more() {
    let mut bench = Bench::open();
    bench.wait(-86_400_000);
    assert_eq!(bench.refusal(), 5_000);
    let _probe = bench.wait(5_000).probe();
    bench.wait(-86_400_000);
    assert_eq!(bench.refusal(), 5_000);
    let _second = bench.wait(60_000).probe();
}

#[derive(Debug, Clone)]
enum Step {
    Admit,
    Answer(usize),
    Succeed(usize),
    Fail(usize, usize, u32),
    GiveUp(usize),
    Lose(usize),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..8_usize;
    prop_oneof![
        4 => Just(Step::Admit),
        1 => which.clone().prop_map(Step::Answer),
        1 => which.clone().prop_map(Step::Succeed),
        4 => (which.clone(), 0..Cause::ALL.len(), any::<u32>()).prop_map(|(i, cause, bits)| Step::Fail(i, cause, bits)),
        1 => which.clone().prop_map(Step::GiveUp),
        1 => which.prop_map(Step::Lose),
        3 => (-5_000..70_000_i64).prop_map(Step::Wait),
    ]
}

fn take(held: &mut Vec<Permission>, index: usize) -> Option<Permission> {
    (!held.is_empty()).then(|| held.swap_remove(index % held.len()))
}

proptest! {
    #[test]
    fn it_never_refuses_for_longer_than_a_minute_whatever_came_before(steps in prop::collection::vec(step(), 0..80)) {
        let mut bench = Bench::on_trial();
        let mut held = Vec::new();
        for step in steps {
            match step {
                Step::Admit => match bench.admit() {
                    Admit::Yes(permission) | Admit::Probe(permission) => held.push(permission),
                    Admit::No { retry_after } => {
                        prop_assert!(!retry_after.is_zero() && retry_after <= Duration::from_secs(60));
                        prop_assert_ne!(bench.state(), BreakerState::Closed);
                    }
                },
                Step::Answer(index) => {
                    let index = index % held.len().max(1);
                    held.get_mut(index).map(|permission| bench.breaker.answered(permission)).unwrap_or_default();
                }
                Step::Succeed(index) => {
                    take(&mut held, index).map(|permission| bench.breaker.succeeded(permission)).unwrap_or_default();
                }
                Step::Fail(index, cause, bits) => {
                    let (now, cause) = (bench.now(), Cause::ALL[cause]);
                    if let Some(permission) = take(&mut held, index) {
                        bench.breaker.failed(permission, cause, now, Jitter::from_bits(bits));
                    }
                }
                Step::GiveUp(index) => {
                    take(&mut held, index).map(|permission| bench.breaker.given_up(permission)).unwrap_or_default();
                }
                Step::Lose(index) => drop(take(&mut held, index)),
                Step::Wait(millis) => {
                    bench.wait(millis);
                }
            }
        }
        // A clock that was set back begins the wait when it is next looked at.
        let _ = bench.admit();
        bench.wait(60_000);
        let refused = matches!(bench.admit(), Admit::No { .. });
        prop_assert!(!refused);
    }
}
