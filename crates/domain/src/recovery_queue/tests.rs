use proptest::prelude::*;

use super::*;

/// A queue and its clock, in milliseconds.
#[derive(Default)]
struct Bench {
    queue: RecoveryQueue,
    millis: u64,
}

impl Bench {
    /// A queue whose first sweep found these responses and nothing else.
    fn with(ids: &[ResponseId]) -> Self {
        let mut bench = Self::default();
        let orphans: Vec<_> = ids.iter().map(|id| orphan(*id, None)).collect();
        assert_eq!(bench.queue.found(&orphans, true, Duration::ZERO).added, ids.len());
        bench
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    fn next(&mut self) -> Option<ResponseId> {
        self.queue.next_try(self.now()).map(|next| next.id)
    }

    fn fail(&mut self, id: ResponseId, reason: SetAsideReason) -> Option<SetAsideReason> {
        self.queue.failed(id, reason, self.now())
    }

    /// Waits until the next response is due, tries it and has it fail. Returns how long that took.
    fn fail_next(&mut self, reason: SetAsideReason) -> (u64, Option<SetAsideReason>) {
        let before = self.millis;
        let due = self.queue.wakes_at().map_or(0, |due| u64::try_from(due.as_millis()).unwrap_or(u64::MAX));
        self.millis = self.millis.max(due);
        let id = self.next().unwrap_or_default();
        (self.millis - before, self.fail(id, reason))
    }

    fn fail_times(&mut self, times: u32, reason: SetAsideReason) {
        for _ in 0..times {
            self.fail_next(reason);
        }
    }
}

fn orphan(id: ResponseId, set_aside: Option<SetAsideReason>) -> LeftBehind {
    LeftBehind { id, set_aside, retry_wanted_at: None }
}

fn ids(count: usize) -> Vec<ResponseId> {
    std::iter::repeat_with(ResponseId::new).take(count).collect()
}

const REFUSED: SetAsideReason = SetAsideReason::EndingRefused;

#[test]
fn the_pauses_between_tries_double_up_to_a_minute() {
    let mut bench = Bench::with(&ids(1));
    let pauses: Vec<u64> = (0..11).map(|_| bench.fail_next(REFUSED).0).collect();
    assert_eq!(pauses, [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
}

#[test]
fn a_response_is_set_aside_once_after_three_failures_and_again_for_another_reason() {
    let mut bench = Bench::with(&ids(1));
    let mut fail = |reason| bench.fail_next(reason).1;
    let missing = SetAsideReason::KeyMissing;
    assert_eq!([fail(missing), fail(missing), fail(missing), fail(missing)], [None, None, Some(missing), None]);
    assert_eq!([fail(REFUSED), fail(REFUSED)], [Some(REFUSED), None]);
}

#[test]
fn a_log_of_a_newer_version_is_set_aside_at_the_first_look() {
    let mut bench = Bench::with(&ids(1));
    let newer = SetAsideReason::NewerVersion;
    assert_eq!(bench.fail_next(newer).1, Some(newer));
}

#[test]
fn those_that_fail_hold_up_nobody() {
    let (poisoned, healthy) = (ids(32), ids(8));
    let mut bench = Bench::with(&[poisoned.clone(), healthy.clone()].concat());
    let first: Vec<_> = std::iter::from_fn(|| bench.next()).collect();
    assert_eq!(first.len(), 32, "no more at once");
    for id in first {
        bench.fail(id, REFUSED);
    }
    let then: Vec<_> = std::iter::from_fn(|| bench.next()).collect();
    assert_eq!(then.len(), 8, "each of the others, at once");
    assert!(!bench.queue.has_swept());
    then.iter().for_each(|id| assert_eq!(bench.queue.remove(*id), None));
    assert!(bench.queue.has_swept(), "nobody waits for those that failed");
}

#[test]
fn nothing_is_swept_before_all_was_found_and_tried() {
    let id = ResponseId::new();
    let mut bench = Bench::default();
    assert_eq!(bench.queue.found(&[orphan(id, None)], false, bench.now()).added, 1);
    assert_eq!(bench.next(), Some(id));
    bench.queue.remove(id);
    assert!(!bench.queue.has_swept(), "there may be more");
    assert_eq!(bench.queue.found(&[], true, bench.now()), NewlyFound::default());
    assert!(bench.queue.has_swept());
}

#[test]
fn what_was_set_aside_before_holds_up_no_sweep_and_is_tried_all_the_same() {
    let id = ResponseId::new();
    let mut bench = Bench::default();
    bench.queue.found(&[orphan(id, Some(SetAsideReason::KeyMissing))], true, bench.now());
    assert!(bench.queue.has_swept());
    assert_eq!(bench.next(), Some(id));
    assert_eq!(bench.queue.remove(id), Some(SetAsideReason::KeyMissing));
}

#[test]
fn a_database_that_is_away_is_nobodys_failure_and_pauses_all() {
    let all = ids(2);
    let mut bench = Bench::with(&all);
    let (first, second) = (bench.next().unwrap_or_default(), bench.next().unwrap_or_default());
    let away = |is_new| TryUnanswered::Away { is_new };
    assert_eq!(bench.queue.unanswered(first, bench.now()), away(true), "it is told once");
    assert_eq!(bench.queue.unanswered(second, bench.now()), away(false));
    assert_eq!((bench.next(), bench.queue.wakes_at()), (None, Some(PAUSE_WHEN_AWAY)));
    assert!(!bench.queue.has_swept(), "none of them was tried");
    assert!(bench.queue.is_ready_for_a_sweep(), "which finds out whether the database answers");
    bench.millis = 1_000;
    assert!(bench.next().is_some() && bench.next().is_some());
    assert_eq!(bench.fail(first, REFUSED), None, "the first failure");
}

#[test]
fn a_cancel_of_one_that_waits_brings_its_next_try_forward_and_decides_its_ending() {
    let id = ResponseId::new();
    let mut bench = Bench::with(&[id]);
    bench.fail_times(8, REFUSED);
    let now = bench.now();
    bench.queue.add(id, SettleReason::Cancelled, now);
    assert_eq!(bench.queue.wakes_at(), Some(now + PAUSE_WHEN_WANTED), "not more often than once a second");
    bench.millis += 1_000;
    assert_eq!(bench.queue.next_try(bench.now()).map(|next| next.reason), Some(SettleReason::Cancelled));
}

/// The database answers everybody but `poisoned`, which is due, so many times.
fn unanswered_beside_answers(bench: &mut Bench, poisoned: ResponseId, times: u32) -> Vec<TryUnanswered> {
    let mut answers = Vec::new();
    for _ in 0..times {
        bench.queue.found(&[], true, bench.now());
        bench.millis += 60_000;
        assert_eq!(bench.next(), Some(poisoned));
        answers.push(bench.queue.unanswered(poisoned, bench.now()));
    }
    answers
}

#[test]
fn a_response_that_alone_gets_no_answer_fails_and_holds_up_no_sweep() {
    let poisoned = ResponseId::new();
    let mut bench = Bench::with(&[poisoned]);
    let away = TryUnanswered::Away { is_new: false };
    let failed = |set_aside| TryUnanswered::Failed { set_aside };
    let first = unanswered_beside_answers(&mut bench, poisoned, 3);
    assert_eq!(first, [TryUnanswered::Away { is_new: true }, away, failed(None)]);
    assert!(bench.queue.has_swept());
    let unreadable = Some(SetAsideReason::RowUnreadable);
    assert_eq!(unanswered_beside_answers(&mut bench, poisoned, 3), [failed(None), failed(unreadable), failed(None)]);
}

#[test]
fn an_outage_is_nobodys_failure_however_long_it_is_and_however_many_vouch_for_each_other() {
    let (one, two) = (ResponseId::new(), ResponseId::new());
    let mut bench = Bench::with(&[one]);
    unanswered_beside_answers(&mut bench, one, 6);
    bench.queue.add(two, SettleReason::NodeLost, bench.now());
    for _ in 0..20 {
        bench.millis += 60_000;
        for _ in 0..2 {
            let id = bench.next().unwrap_or_default();
            let found = bench.queue.unanswered(id, bench.now());
            assert!(id != two || matches!(found, TryUnanswered::Away { .. }), "{found:?}");
            bench.millis += 1_000;
        }
    }
    assert!(!bench.queue.is_set_aside(two));
}

#[test]
fn an_ending_may_be_minimal_only_after_it_was_refused_for_minutes() {
    let id = ResponseId::new();
    let mut bench = Bench::with(&[id]);
    bench.fail_times(12, SetAsideReason::KeyMissing);
    let form = |bench: &mut Bench, after: u64, reason| {
        bench.millis += after;
        let ending = bench.queue.next_try(bench.now()).map(|next| next.ending);
        bench.fail(id, reason);
        ending
    };
    assert_eq!(form(&mut bench, 60_000, REFUSED), Some(EndingForm::Whole), "it was never refused");
    assert_eq!(form(&mut bench, 119_999, REFUSED), Some(EndingForm::Whole));
    assert_eq!(form(&mut bench, 60_000, SetAsideReason::KeyMissing), Some(EndingForm::WholeOrMinimal));
    assert_eq!(form(&mut bench, 60_000, REFUSED), Some(EndingForm::Whole), "the refusal was over");
}

#[test]
fn a_mark_is_written_until_the_database_has_it_and_again_after_each_failure() {
    let id = ResponseId::new();
    let mut bench = Bench::with(&[id]);
    bench.fail_times(3, REFUSED);
    assert!(bench.queue.next_marks(0, bench.now()).is_empty());
    assert_eq!(bench.queue.next_marks(9, bench.now()), [(id, REFUSED)]);
    assert_eq!(bench.queue.never_marked(), 1);
    assert!(bench.queue.marked([(id, true)]).is_empty());
    assert_eq!((bench.queue.next_marks(9, bench.now()), bench.queue.never_marked()), (Vec::new(), 0));
    bench.fail_next(REFUSED);
    let again = bench.queue.next_marks(9, bench.now());
    assert_eq!((again.len(), bench.queue.never_marked()), (1, 0), "its claim may have cleared it");
}

#[test]
fn marks_are_written_one_time_after_the_other_with_pauses_while_that_fails() {
    let mut bench = Bench::with(&ids(5));
    bench.fail_times(5, SetAsideReason::NewerVersion);
    assert_eq!(bench.queue.next_marks(3, bench.now()).len(), 3);
    assert!(bench.queue.next_marks(3, bench.now()).is_empty(), "a write is under way");
    assert!(bench.queue.marking_failed(bench.now()), "it is told once");
    assert!(bench.queue.next_marks(3, bench.now()).is_empty());
    bench.millis += 250;
    let marks = bench.queue.next_marks(9, bench.now());
    assert!(!bench.queue.marking_failed(bench.now()));
    bench.millis += 499;
    assert!(bench.queue.next_marks(9, bench.now()).is_empty());
    bench.millis += 1;
    assert_eq!(bench.queue.next_marks(9, bench.now()).len(), marks.len());
    bench.queue.marked(marks.iter().map(|(id, _)| (*id, true)));
    assert!(bench.queue.marking_failed(bench.now()), "new again");
}

#[test]
fn a_mark_that_the_database_refuses_says_that_somebody_else_has_the_response() {
    let all = ids(3);
    let mut bench = Bench::with(&all);
    bench.fail_next(SetAsideReason::NewerVersion);
    bench.fail_next(SetAsideReason::NewerVersion);
    let asked: Vec<_> = bench.queue.next_marks(9, bench.now()).into_iter().map(|(id, _)| (id, false)).collect();
    assert_eq!(asked.len(), 2);
    bench.millis += 250;
    bench.next();
    let tried = bench.next().unwrap_or_default();
    let waits: Vec<_> = asked.iter().map(|(id, _)| *id).filter(|id| *id != tried).collect();
    assert_eq!(bench.queue.marked(asked), waits, "what is being tried finds it out by itself");
}

#[test]
fn one_that_somebody_wants_tried_again_is_at_once_as_if_for_the_first_time() {
    let (wanted, other) = (ResponseId::new(), ResponseId::new());
    let mut bench = Bench::with(&[wanted, other]);
    bench.fail_times(12, REFUSED);
    let look = |bench: &mut Bench, at: Option<i64>| {
        let retry_wanted_at = at.map(Timestamp::from_micros);
        let seen = [LeftBehind { id: wanted, set_aside: Some(REFUSED), retry_wanted_at }, orphan(other, Some(REFUSED))];
        bench.queue.found(&seen, true, bench.now()).retried
    };
    assert!(look(&mut bench, None).is_empty() && bench.next().is_none());
    assert_eq!(look(&mut bench, Some(7)), [wanted]);
    assert_eq!((bench.next(), bench.next()), (Some(wanted), None));
    assert!(look(&mut bench, Some(8)).is_empty(), "it is being tried");
    bench.fail(wanted, REFUSED);
    assert_eq!(look(&mut bench, Some(8)), [wanted]);
    assert!(look(&mut bench, Some(8)).is_empty(), "each wish once");
    assert!(bench.queue.is_set_aside(wanted), "until it has ended or runs");
}

#[test]
fn the_end_of_a_node_waits_for_orphans_and_not_for_those_set_aside() {
    let mut bench = Bench::default();
    bench.queue.add(ResponseId::new(), SettleReason::SupervisorFailed, Duration::ZERO);
    assert!(bench.queue.waits_for_orphans());
    let id = bench.queue.entries.keys().next().copied().unwrap_or_default();
    bench.queue.add(id, SettleReason::Cancelled, Duration::ZERO);
    assert!(bench.queue.waits_for_orphans(), "a cancel makes it end otherwise, and no sooner");
    bench.fail_times(3, REFUSED);
    assert!(!bench.queue.waits_for_orphans());
}

proptest! {
    /// Whatever happens in whatever order: places are never exceeded or lost, nobody is tried twice at once or
    /// forgotten, and what remains is tried in the end.
    #[test]
    fn places_are_neither_lost_nor_exceeded(steps in prop::collection::vec((0_u8..7, 0_usize..40), 1..400)) {
        let all = ids(40);
        let mut bench = Bench::default();
        let mut tried: Vec<ResponseId> = Vec::new();
        let mut here: BTreeSet<ResponseId> = BTreeSet::new();
        for (step, number) in steps {
            let id = all[number];
            match step {
                0 => { bench.queue.add(id, SettleReason::NodeLost, bench.now()); here.insert(id); }
                1 => {
                    bench.queue.found(&[orphan(id, (number % 3 == 0).then_some(REFUSED))], number % 2 == 0, bench.now());
                    here.insert(id);
                }
                2 | 3 => if let Some(next) = bench.next() {
                    prop_assert!(here.contains(&next) && !tried.contains(&next));
                    tried.push(next);
                },
                4 => if let Some(id) = tried.pop() { bench.queue.remove(id); here.remove(&id); },
                5 => if let Some(id) = tried.pop() { bench.fail(id, REFUSED); },
                _ => {
                    if let Some(id) = tried.pop() { bench.queue.unanswered(id, bench.now()); }
                    bench.millis += 300 * number as u64;
                }
            }
            prop_assert_eq!(bench.queue.under_way, tried.len());
            prop_assert!(tried.len() <= MOST_UNDER_WAY);
            prop_assert_eq!(bench.queue.waiting.len() + tried.len(), here.len());
            prop_assert_eq!(bench.queue.untried, bench.queue.entries.values().filter(|entry| entry.is_untried()).count());
        }
        tried.drain(..).for_each(|id| { bench.fail(id, REFUSED); });
        bench.millis += 61_000;
        let mut again = BTreeSet::new();
        while let Some(id) = bench.next() { again.insert(id); bench.queue.remove(id); }
        prop_assert_eq!(again, here);
    }
}

#[test]
fn one_that_can_not_go_on_here_for_now_is_tried_again_for_the_same_reason_and_has_not_failed() {
    let (id, mut bench) = (ResponseId::new(), Bench::default());
    bench.queue.add(id, SettleReason::NodeLost, bench.now());
    for _ in 0..9 {
        let next = bench.queue.next_try(bench.now()).map(|next| (next.id, next.reason));
        assert_eq!(next, Some((id, SettleReason::NodeLost)));
        bench.queue.put_off(id, bench.now());
        assert_eq!(bench.next(), None);
        bench.millis += 1_000;
    }
    assert!(!bench.queue.is_set_aside(id));
}
