use proptest::prelude::*;

use super::*;

const POLICY: RetryBudgetPolicy = RetryBudgetPolicy { free: 10, per_thousand: 200, window: Duration::from_secs(10) };

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + millis * 1_000)
}

fn budget(free: u32, first_attempts: u32) -> RetryBudget {
    let mut budget = RetryBudget::new(RetryBudgetPolicy { free, ..POLICY });
    for _ in 0..first_attempts {
        budget.first_attempt(at(0));
    }
    budget
}

/// How many retries are left; takes them.
fn drain(budget: &mut RetryBudget, now: Timestamp) -> usize {
    std::iter::repeat_with(|| budget.retry(now)).take(1_000_000).take_while(|allowed| *allowed).count()
}

#[test]
fn the_budget_ends_exactly_where_its_shares_add_up_to_a_retry() {
    for (free, first_attempts, retries) in [
        (0, 0, 0),
        (0, 4, 0),
        (0, 5, 1),
        (0, 9, 1),
        (0, 10, 2),
        (0, 999, 199),
        (0, 1_000, 200),
        (10, 0, 10),
        (10, 4, 10),
        (10, 5, 11),
    ] {
        assert_eq!(drain(&mut budget(free, first_attempts), at(0)), retries, "{free} free, {first_attempts} asked");
    }
}

#[test]
fn shares_that_no_fraction_of_two_can_hold_still_add_up() {
    let mut third = RetryBudget::new(RetryBudgetPolicy { free: 0, per_thousand: 100, ..POLICY });
    for _ in 0..10 {
        third.first_attempt(at(0));
    }
    assert_eq!(drain(&mut third, at(0)), 1, "ten tenths are a whole");
}

#[test]
fn a_refused_retry_takes_nothing() {
    let mut budget = budget(0, 4);
    assert!(!budget.retry(at(0)));
    budget.first_attempt(at(0));
    assert!(budget.retry(at(0)), "the fifth share completes the retry");
}

#[test]
fn what_happened_counts_for_the_window_and_no_longer() {
    for (later, left) in [(0, 0), (8_999, 0), (9_999, 0), (10_000, 10), (60_000, 10)] {
        let mut budget = budget(10, 0);
        assert_eq!(drain(&mut budget, at(0)), 10);
        assert_eq!(drain(&mut budget, at(later)), left, "after {later} ms");
    }
    for (later, left) in [(9_999, 2), (10_000, 0)] {
        assert_eq!(drain(&mut budget(0, 10), at(later)), left, "shares after {later} ms");
    }
}

#[test]
fn a_window_slides_in_steps() {
    let mut budget = budget(3, 0);
    for second in 0..3 {
        assert!(budget.retry(at(second * 1_000)));
    }
    for (second, left) in [(9, 0), (10, 1), (11, 1), (12, 1), (13, 0), (20, 1), (40, 3)] {
        assert_eq!(drain(&mut budget, at(second * 1_000)), left, "at {second} s");
    }
}

#[test]
fn a_clock_that_is_set_back_neither_refills_nor_freezes_the_budget() {
    let mut budget = budget(10, 0);
    assert_eq!(drain(&mut budget, at(0)), 10);
    assert_eq!(drain(&mut budget, at(-5_000)), 0);
    assert_eq!(drain(&mut budget, at(-3_600_000)), 10);
    assert_eq!(drain(&mut budget, at(-3_600_000)), 0);
}

#[test]
fn extreme_times_windows_and_shares_do_no_harm() {
    for window in [Duration::ZERO, Duration::from_micros(1), Duration::MAX] {
        let mut budget = RetryBudget::new(RetryBudgetPolicy { free: 1, per_thousand: u32::MAX, window });
        for micros in [i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN] {
            budget.first_attempt(Timestamp::from_micros(micros));
            assert!(budget.retry(Timestamp::from_micros(micros)), "{window:?} at {micros}");
        }
    }
}

proptest! {
    #[test]
    fn no_window_holds_more_retries_than_its_share_and_the_free_ones(
        steps in prop::collection::vec((0..1_500_i64, any::<bool>()), 0..400),
    ) {
        let mut budget = RetryBudget::new(RetryBudgetPolicy { free: 3, ..POLICY });
        let (mut now, mut asked, mut retried) = (0, Vec::new(), Vec::new());
        for (wait, is_retry) in steps {
            now += wait;
            if !is_retry {
                budget.first_attempt(at(now));
                asked.push(now);
            } else if budget.retry(at(now)) {
                retried.push(now);
                let within = |times: &[i64], window| times.iter().filter(|time| now - **time < window).count();
                prop_assert!(within(&retried, 9_000) <= 3 + within(&asked, 10_000) / 5);
            }
        }
    }
}
