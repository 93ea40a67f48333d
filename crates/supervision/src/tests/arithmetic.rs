use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::{
    Liveness, Ping, Restart, RestartBudget,
    heartbeat::{HeartbeatMonitor, TurnCount},
    placement::{SilenceCounter, position},
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
    let mut silence = SilenceCounter::since(0);
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
        let home = position(key, hung.len(), |_| true);
        match position(key, hung.len(), |index| !hung[index]) {
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
            found[position(key, hung.len(), |index| !hung[index]).unwrap()] += 1;
        }
        let expected: Vec<_> = hung.iter().map(|is_hung| if *is_hung { 0 } else { hung.len() * 10 }).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_thread_hangs_from_as_many_silences_in_a_row_until_it_answers(
        patience in 1u32..6,
        answers in prop::collection::vec(any::<bool>(), 0..40),
    ) {
        let (mut signs, mut silence) = (7, SilenceCounter::since(7));
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
        let mut beats = Beats::new(patience);
        let mut missed = 0;
        for answers in answers {
            let expected = match (missed, missed >= patience) {
                (0, _) => Liveness::Alive,
                (missed, false) => Liveness::Missed(missed),
                (_, true) => Liveness::Hung,
            };
            prop_assert_eq!(beats.beat(), expected);
            beats.turns += 1;
            missed = if beats.answers_if(answers) { 0 } else { missed + 1 };
        }
    }

    #[test]
    fn a_child_never_misses_more_beats_than_it_had_turns(
        steps in prop::collection::vec(prop_oneof![3 => Just(Step::Beat), 1 => Just(Step::Turn)], 0..60),
        on_this_thread: bool,
    ) {
        let mut beats = Beats { on_this_thread, ..Beats::new(u32::MAX) };
        for step in steps {
            match step {
                Step::Turn => beats.turns += 1,
                Step::Beat => match beats.beat() {
                    Liveness::Missed(missed) => prop_assert!(u64::from(missed) <= beats.turns),
                    Liveness::Alive | Liveness::Waiting => {}
                    Liveness::Hung => prop_assert!(false, "patience without end"),
                },
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Beat,
    Turn,
}

/// The beats of a parent and the turns of its child.
struct Beats {
    monitor: HeartbeatMonitor,
    patience: u32,
    asked: Option<Ping>,
    turns: u64,
    on_this_thread: bool,
    now: Instant,
}

impl Beats {
    fn new(patience: u32) -> Self {
        let monitor = HeartbeatMonitor::default();
        Self { monitor, patience, asked: None, turns: 0, on_this_thread: true, now: Instant::now() }
    }

    fn beat(&mut self) -> Liveness {
        let turns = TurnCount { begun: self.turns, ended: self.turns, on_this_thread: self.on_this_thread };
        let found = self.monitor.check(turns, self.now, self.patience);
        if found == Liveness::Alive {
            self.asked = Some(self.monitor.ping());
        }
        if found != Liveness::Waiting {
            self.monitor.counted(turns, self.now);
        }
        found
    }

    /// Whether there was something to answer, and the child did.
    fn answers_if(&mut self, answers: bool) -> bool {
        let ping = self.asked.take_if(|_| answers);
        ping.is_some_and(|ping| {
            ping.answer();
            true
        })
    }
}

#[test]
fn beats_of_a_thread_that_gives_no_turn_count_if_they_are_apart() {
    let (mut here, mut elsewhere) = (Beats::new(3), Beats { on_this_thread: false, ..Beats::new(3) });
    assert_eq!([here.beat(), elsewhere.beat()], [Liveness::Alive; 2]);
    for missed in [Liveness::Missed(1), Liveness::Missed(2), Liveness::Hung] {
        assert_eq!([here.beat(), elsewhere.beat()], [Liveness::Waiting; 2], "too close");
        here.now += Duration::from_millis(10);
        elsewhere.now += Duration::from_millis(10);
        assert_eq!([here.beat(), elsewhere.beat()], [Liveness::Waiting, missed]);
    }
}

#[test]
fn a_turn_that_had_begun_before_the_ping_is_no_chance_to_answer_it() {
    let mut monitor = HeartbeatMonitor::default();
    let (now, turns) = (Instant::now(), |begun, ended| TurnCount { begun, ended, on_this_thread: false });
    assert_eq!(monitor.check(turns(5, 4), now, 2), Liveness::Alive);
    let _unanswered = monitor.ping();
    monitor.counted(turns(5, 4), now);
    for (turns, found) in
        [(turns(5, 5), Liveness::Waiting), (turns(6, 5), Liveness::Waiting), (turns(6, 6), Liveness::Missed(1))]
    {
        assert_eq!(monitor.check(turns, now, 2), found);
    }
}
