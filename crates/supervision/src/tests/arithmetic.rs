use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::{
    Beat, Restart, RestartBudget,
    placement::{Silence, place},
    pulse::Pulse,
};

/// Endings, each so many seconds after the one before, and whether each was followed by a restart.
fn spent(mut budget: RestartBudget, gaps: &[u64]) -> Vec<(Duration, bool)> {
    let (begin, mut at) = (Instant::now(), Duration::ZERO);
    let mut spend = |gap: &u64| {
        at += Duration::from_secs(*gap);
        (at, budget.spend(begin + at) == Restart::Again)
    };
    gaps.iter().map(&mut spend).collect()
}

fn restarts_before(endings: &[(Duration, bool)], at: Duration, window: Duration) -> usize {
    endings.iter().filter(|(restart, again)| *again && at - *restart < window).count()
}

#[test]
fn a_budget_without_a_window_is_for_life() {
    let again: Vec<_> = spent(RestartBudget::in_all(2), &[0, 1_000_000, 1_000_000]).iter().map(|end| end.1).collect();
    assert_eq!(again, [true, true, false]);
}

#[test]
fn a_restart_counts_until_its_window_is_over() {
    let again: Vec<_> =
        spent(RestartBudget::within(Duration::from_secs(60), 1), &[0, 59, 1, 59, 1]).iter().map(|end| end.1).collect();
    assert_eq!(again, [true, false, true, false, true], "a refusal does not count");
}

#[test]
fn a_thread_that_answers_each_time_and_always_too_late_is_not_hung() {
    let mut silence = Silence::since(0);
    // Asked for the first time at 1, and one answer behind ever after.
    let hung: Vec<_> = (0..6).map(|signs| silence.is_hung(signs, 2)).collect();
    assert_eq!(hung, [false; 6]);
    assert_eq!([5, 5, 6].map(|signs| silence.is_hung(signs, 2)), [false, true, false]);
}

proptest! {
    #[test]
    fn a_budget_gives_what_it_has_and_never_more(
        most in 0usize..5,
        window in 1u64..20,
        gaps in prop::collection::vec(0u64..10, 0..40),
    ) {
        let window = Duration::from_secs(window);
        let endings = spent(RestartBudget::within(window, most), &gaps);
        for (index, (at, again)) in endings.iter().enumerate() {
            prop_assert_eq!(*again, restarts_before(&endings[..index], *at, window) < most);
        }
    }

    #[test]
    fn a_key_stays_at_home_while_its_home_lives(key: u64, hung in prop::collection::vec(any::<bool>(), 0..9)) {
        let home = place(key, hung.len(), |_| true);
        match place(key, hung.len(), |index| !hung[index]) {
            None => prop_assert!(hung.iter().all(|hung| *hung)),
            Some(index) => {
                prop_assert!(!hung[index]);
                prop_assert!(Some(index) == home || home.is_some_and(|home| hung[home]));
            }
        }
    }

    #[test]
    fn keys_are_spread_evenly_also_those_of_homes_that_hang(hung in prop::collection::vec(any::<bool>(), 1..9)) {
        let n_alive = hung.iter().filter(|hung| !**hung).count();
        let mut found = vec![0; hung.len()];
        for key in 0..(hung.len() * n_alive * 10) as u64 {
            found[place(key, hung.len(), |index| !hung[index]).unwrap()] += 1;
        }
        let expected: Vec<_> = hung.iter().map(|is_hung| if *is_hung { 0 } else { hung.len() * 10 }).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_thread_hangs_from_as_many_silences_in_a_row_until_it_answers(
        patience in 1u32..6,
        answers in prop::collection::vec(any::<bool>(), 0..40),
    ) {
        let (mut signs, mut silence) = (7, Silence::since(7));
        for (index, answered) in answers.iter().enumerate() {
            signs += u64::from(*answered);
            let row = answers[..=index].iter().rev().take_while(|answered| !**answered).count();
            prop_assert_eq!(silence.is_hung(signs, patience), row >= patience as usize);
        }
    }

    #[test]
    fn a_child_hangs_from_as_many_missed_beats_in_a_row(
        patience in 1u32..6,
        answers in prop::collection::vec(any::<bool>(), 0..40),
    ) {
        let (mut pulse, mut asked, mut missed) = (Pulse::default(), None, 0);
        for answers in answers {
            let (beat, ping) = pulse.beat(patience);
            let expected = match (missed, missed >= patience) {
                (0, _) => Beat::Alive,
                (missed, false) => Beat::Missed(missed),
                (_, true) => Beat::Hung,
            };
            prop_assert_eq!(beat, expected);
            prop_assert_eq!(ping.is_some(), beat == Beat::Alive, "who has not answered is not asked again");
            asked = ping.or(asked);
            if answers && let Some(ping) = asked.take() {
                ping.answer();
                missed = 0;
            } else {
                missed += 1;
            }
        }
    }
}
