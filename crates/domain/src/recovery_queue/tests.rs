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
        let orphans: Vec<_> = ids.iter().map(|id| LeftBehind { id: *id, set_aside: None }).collect();
        assert_eq!(bench.queue.found(&orphans, true, Duration::ZERO), ids.len());
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
    let orphan = LeftBehind { id, set_aside: None };
    assert_eq!(bench.queue.found(&[orphan], false, bench.now()), 1);
    assert_eq!(bench.next(), Some(id));
    bench.queue.remove(id);
    assert!(!bench.queue.has_swept(), "there may be more");
    assert_eq!(bench.queue.found(&[], true, bench.now()), 0);
    assert!(bench.queue.has_swept());
}

#[test]
fn what_was_set_aside_before_holds_up_no_sweep_and_is_tried_all_the_same() {
    let id = ResponseId::new();
    let mut bench = Bench::default();
    bench.queue.found(&[LeftBehind { id, set_aside: Some(SetAsideReason::KeyMissing) }], true, bench.now());
    assert!(bench.queue.has_swept());
    assert_eq!(bench.next(), Some(id));
    assert_eq!(bench.queue.remove(id), Some(SetAsideReason::KeyMissing));
}

#[test]
fn a_database_that_is_away_is_nobodys_failure_and_pauses_all() {
    let all = ids(2);
    let mut bench = Bench::with(&all);
    let (first, second) = (bench.next().unwrap_or_default(), bench.next().unwrap_or_default());
    assert!(bench.queue.database_away(first, bench.now()), "it is told once");
    assert!(!bench.queue.database_away(second, bench.now()));
    assert_eq!((bench.next(), bench.queue.wakes_at()), (None, Some(PAUSE_WHEN_AWAY)));
    assert!(!bench.queue.has_swept(), "none of them was tried");
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

#[test]
fn only_an_ending_that_is_refused_while_other_changes_are_taken_becomes_minimal() {
    for (reason, is_marked, form) in [
        (REFUSED, true, EndingForm::Minimal),
        (REFUSED, false, EndingForm::Whole),
        (SetAsideReason::KeyMissing, true, EndingForm::Whole),
    ] {
        let id = ResponseId::new();
        let mut bench = Bench::with(&[id]);
        bench.fail_times(3, reason);
        assert_eq!(bench.queue.unmarked().collect::<Vec<_>>(), [(id, reason)]);
        if is_marked {
            bench.queue.marked(id, bench.now());
        }
        bench.millis += 60_000;
        assert_eq!(bench.queue.next_try(bench.now()).map(|next| next.ending), Some(form), "{reason:?} {is_marked}");
    }
}

#[test]
fn one_whose_mark_was_cleared_is_tried_at_once_as_if_for_the_first_time() {
    let (cleared, kept) = (ResponseId::new(), ResponseId::new());
    let mut bench = Bench::with(&[cleared, kept]);
    bench.fail_times(6, REFUSED);
    [cleared, kept].into_iter().for_each(|id| bench.queue.marked(id, bench.now()));
    let marked = bench.now();
    let after = bench.queue.compare_marks(|id| id == kept, marked, marked);
    assert!(after.is_empty() && bench.next().is_none(), "it was marked after the database was asked");
    bench.millis += 1;
    assert_eq!(bench.queue.compare_marks(|id| id == kept, bench.now(), bench.now()), [cleared]);
    assert_eq!((bench.next(), bench.next()), (Some(cleared), None));
    assert!(bench.queue.is_set_aside(kept) && !bench.queue.is_set_aside(cleared));
}

#[test]
fn the_end_of_a_node_waits_for_orphans_and_not_for_those_set_aside() {
    let mut bench = Bench::default();
    bench.queue.add(ResponseId::new(), SettleReason::SupervisorFailed, Duration::ZERO);
    assert!(bench.queue.waits_for_orphans());
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
                    bench.queue.found(&[LeftBehind { id, set_aside: (number % 3 == 0).then_some(REFUSED) }], number % 2 == 0, bench.now());
                    here.insert(id);
                }
                2 | 3 => if let Some(next) = bench.next() {
                    prop_assert!(here.contains(&next) && !tried.contains(&next));
                    tried.push(next);
                },
                4 => if let Some(id) = tried.pop() { bench.queue.remove(id); here.remove(&id); },
                5 => if let Some(id) = tried.pop() { bench.fail(id, REFUSED); },
                _ => {
                    if let Some(id) = tried.pop() { bench.queue.database_away(id, bench.now()); }
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
