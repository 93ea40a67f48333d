use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Journal, JournalWriter, Written, choice::GroupBounds, queue::Queue};
use crate::actors::{
    ActorRole, Label,
    supervision::{Child, Fault, Roster, spawn},
};
use crate::domain::GroupOptions;
use crate::protocol::ResponseId;
use crate::store::{AppendRecord, CommitOutcome, Error, GroupCommit, JournalEntry, MemoryStore, Segment};

/// A store that fails every group with this entry in it.
#[derive(Debug)]
struct Picky(MemoryStore, ResponseId);

#[async_trait]
impl GroupCommit for Picky {
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, Error> {
        if group.contains(&JournalEntry::Delete(self.1)) {
            return Err(Error::Failed("an entry that it does not like".into()));
        }
        self.0.commit(group).await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.0.ping().await
    }
}

/// A store in which another program holds a lock on the row of one response.
#[derive(Debug)]
struct Locked {
    store: MemoryStore,
    response: ResponseId,
    error: fn(&'static str) -> Error,
    is_released: AtomicBool,
}

#[async_trait]
impl GroupCommit for Locked {
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, Error> {
        let waits = group.iter().any(|entry| entry.response() == self.response);
        if waits && !self.is_released.load(Ordering::Relaxed) {
            return Err((self.error)("a lock"));
        }
        self.store.commit(group).await
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A store that answers the next groups with these errors, and does not finish those that are too large in time.
#[derive(Debug)]
struct Slow {
    store: MemoryStore,
    most_entries: usize,
    errors: Mutex<Vec<Error>>,
    groups: Mutex<Vec<usize>>,
}

impl Slow {
    fn new(most_entries: usize, errors: Vec<Error>) -> Arc<Self> {
        let (errors, groups) = (Mutex::new(errors), Mutex::default());
        Arc::new(Self { store: MemoryStore::new(), most_entries, errors, groups })
    }
}

#[async_trait]
impl GroupCommit for Slow {
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, Error> {
        self.groups.lock().push(group.len());
        if let Some(error) = self.errors.lock().pop() {
            return Err(error);
        }
        if group.len() > self.most_entries {
            return Err(Error::TimedOut("too much at once".into()));
        }
        self.store.commit(group).await
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}

const LABEL: Label = Label::node(ActorRole::JournalWriter);

fn writer(roster: &Roster<Label>, group_commit: Arc<dyn GroupCommit>, journal: &Journal) -> Child<JournalWriter> {
    let shared = journal.clone();
    let child =
        spawn(roster, LABEL, move |_| JournalWriter::new(group_commit, shared, GroupOptions::default()), |_| {});
    journal.attach(child.addr().clone());
    child
}

#[actix::test]
async fn one_bad_entry_fails_alone() {
    let bad = ResponseId::new();
    let (journal, roster) = (Journal::default(), Roster::new());
    let ids: Vec<_> = (0..9).map(|place| if place == 5 { bad } else { ResponseId::new() }).collect();
    let entries = ids.iter().map(|id| journal.write(JournalEntry::Delete(*id)));
    let _writer = writer(&roster, Arc::new(Picky(MemoryStore::new(), bad)), &journal);
    let written = join_all(entries).await;
    for (id, written) in ids.iter().zip(written) {
        assert_eq!(written, if *id == bad { Written::Failed } else { Written::Committed });
    }
}

#[actix::test]
async fn a_new_writer_goes_on_where_the_old_one_ended() {
    let (journal, roster) = (Journal::default(), Roster::new());
    let store = Arc::new(crate::testkit::FlakyStore::new(Arc::new(MemoryStore::new())));
    let old = writer(&roster, store.clone(), &journal);
    store.hold_commits();
    let first = journal.write(JournalEntry::Delete(ResponseId::new()));
    let second = journal.write(JournalEntry::Delete(ResponseId::new()));
    let replaced = async {
        store.commit_held().await;
        roster.inflict(LABEL, Fault::Panic).await;
        drop(old);
        let new = writer(&roster, store.clone(), &journal);
        store.release_commits();
        // Held until both entries are answered.
        std::future::pending::<()>().await;
        drop(new);
    };
    let (first, second) = tokio::select! {
        written = futures_util::future::join(first, second) => written,
        () = replaced => unreachable!("it never ends"),
    };
    assert_eq!((first, second), (Written::Committed, Written::Committed));
    assert!(!journal.is_away());
}

#[actix::test]
async fn a_group_that_is_too_slow_is_halved_until_it_is_not_and_the_next_ones_are_smaller() {
    let (journal, roster) = (Journal::default(), Roster::new());
    let store = Slow::new(3, Vec::new());
    let entries = (0..20).map(|_| journal.write(JournalEntry::Delete(ResponseId::new())));
    let _writer = writer(&roster, store.clone(), &journal);
    assert_eq!(join_all(entries).await, [Written::Committed; 20]);
    assert!(!journal.is_away());
    let before = store.groups.lock().len();
    let later = (0..9).map(|_| journal.write(JournalEntry::Delete(ResponseId::new())));
    assert_eq!(join_all(later).await, [Written::Committed; 9]);
    let groups = store.groups.lock();
    assert!(groups[before..].iter().all(|entries| *entries <= 5), "{groups:?}");
}

#[actix::test]
async fn a_group_that_another_transaction_was_in_the_way_of_is_tried_again_and_the_database_is_not_away() {
    let (journal, roster) = (Journal::default(), Roster::new());
    let store = Slow::new(9, vec![Error::Contended("a deadlock".into()), Error::Contended("a lock".into())]);
    let entries = (0..9).map(|_| journal.write(JournalEntry::Delete(ResponseId::new())));
    let _writer = writer(&roster, store.clone(), &journal);
    let written = join_all(entries);
    let never_away = async {
        while store.groups.lock().len() < 3 {
            assert!(!journal.is_away());
            tokio::task::yield_now().await;
        }
    };
    let (written, ()) = futures_util::future::join(written, never_away).await;
    assert_eq!(written, [Written::Committed; 9]);
    assert_eq!(*store.groups.lock(), [9, 9, 9]);
}

#[actix::test]
async fn a_single_entry_that_is_not_done_in_time_means_that_the_database_is_away() {
    let (journal, roster) = (Journal::default(), Roster::new());
    let store = Slow::new(0, Vec::new());
    let _writer = writer(&roster, store.clone(), &journal);
    let entry = journal.write(JournalEntry::Delete(ResponseId::new()));
    let away = async {
        while !journal.is_away() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        written = entry => unreachable!("{written:?}"),
        known = tokio::time::timeout(Duration::from_secs(10), away) => assert!(known.is_ok(), "it does not count as away"),
    }
}

#[actix::test]
async fn a_row_that_another_program_has_locked_holds_up_its_own_response_and_no_other() {
    let errors: [fn(&'static str) -> Error; 2] =
        [|why| Error::TimedOut(why.into()), |why| Error::Contended(why.into())];
    tokio::time::pause();
    for error in errors {
        let (journal, roster, response) = (Journal::default(), Roster::new(), ResponseId::new());
        let is_released = AtomicBool::new(false);
        let store = Arc::new(Locked { store: MemoryStore::new(), response, error, is_released });
        let locked = [journal.write(JournalEntry::Delete(response)), journal.write(JournalEntry::Delete(response))];
        let mut locked = std::pin::pin!(join_all(locked));
        assert!(futures_util::poll!(&mut locked).is_pending(), "both are submitted");
        let _writer = writer(&roster, store.clone(), &journal);
        for _ in 0..3 {
            let others = join_all((0..9).map(|_| journal.write(JournalEntry::Delete(ResponseId::new()))));
            tokio::select! {
                written = others => assert_eq!(written, [Written::Committed; 9]),
                written = &mut locked => unreachable!("{written:?}"),
                () = tokio::time::sleep(Duration::from_secs(60)) => unreachable!("the others are held up"),
            }
            assert!(!journal.is_away());
        }
        store.is_released.store(true, Ordering::Relaxed);
        assert_eq!(locked.await, [Written::Committed; 2]);
    }
}

#[test]
fn an_entry_that_is_put_off_takes_turns_with_the_others_and_its_own_later_ones_stay_behind_it() {
    let (locked, now) = (ResponseId::new(), Instant::now());
    let (mut queue, order) = (Queue::default(), Arc::new(Mutex::new(Vec::new())));
    let push = |queue: &mut Queue, response, name: &'static str| {
        let order = Arc::clone(&order);
        queue.push(JournalEntry::Delete(response), Box::new(move |_| order.lock().push(name)));
    };
    let commit = |queue: &mut Queue, now| {
        let _group = queue.take(GroupBounds { entries: 2, bytes: 100 }, now);
        queue.settle().into_iter().for_each(|reply| reply(Written::Committed));
    };
    push(&mut queue, locked, "locked 1");
    push(&mut queue, locked, "locked 2");
    push(&mut queue, ResponseId::new(), "other 1");
    let _group = queue.take(GroupBounds { entries: 1, bytes: 100 }, now);
    assert_eq!(queue.defer(now), Some(locked));
    push(&mut queue, locked, "locked 3");
    push(&mut queue, ResponseId::new(), "other 2");
    commit(&mut queue, now);
    assert_eq!(*order.lock(), ["other 1", "other 2"]);
    commit(&mut queue, now);
    assert_eq!(order.lock().len(), 2, "it is not due yet");
    let due = now + Duration::from_millis(250);
    assert_eq!(queue.wakes_at(now), Some(due));
    push(&mut queue, ResponseId::new(), "other 3");
    for _ in 0..3 {
        commit(&mut queue, due);
    }
    assert_eq!(order.lock()[2..], ["locked 1", "locked 2", "other 3", "locked 3"]);
}

#[test]
fn where_there_is_no_room_deletions_go_first_and_none_before_what_is_earlier_of_its_response() {
    let (mut queue, order, now) = (Queue::default(), Arc::new(Mutex::new(Vec::new())), Instant::now());
    let bounds = GroupBounds { entries: 9, bytes: 1_000 };
    let push = |queue: &mut Queue, entry, name: &'static str| {
        let order = Arc::clone(&order);
        queue.push(entry, Box::new(move |_| order.lock().push(name)));
    };
    let commit = |queue: &mut Queue| {
        let entries = queue.take(bounds, now).map_or(0, |group| group.len());
        queue.settle().into_iter().for_each(|reply| reply(Written::Committed));
        entries
    };
    let (ends, written) = (ResponseId::new(), ResponseId::new());
    push(&mut queue, append(written, 1), "append");
    push(&mut queue, JournalEntry::Delete(ResponseId::new()), "deletion of the group");
    let _group = queue.take(bounds, now);
    queue.has_no_room();
    push(&mut queue, append(ends, 1), "later append");
    push(&mut queue, JournalEntry::Delete(ends), "deletion behind an append");
    push(&mut queue, JournalEntry::Delete(written), "deletion behind an append that found no room");
    push(&mut queue, JournalEntry::Delete(ResponseId::new()), "later deletion");
    assert_eq!(commit(&mut queue), 1);
    assert_eq!(*order.lock(), ["later deletion"]);
    assert!(queue.away && queue.full, "nothing else was written yet");
    commit(&mut queue);
    assert_eq!(order.lock()[1..], ["deletion of the group"]);
    commit(&mut queue);
    assert!(!queue.away && !queue.full, "there is room");
    while commit(&mut queue) > 0 {}
    let last = ["append", "later append", "deletion behind an append that found no room", "deletion behind an append"];
    assert_eq!(order.lock()[2..], last);
}

/// A segment of that many bytes for that response.
fn append(response: ResponseId, bytes: usize) -> JournalEntry {
    let segment = Segment { response, first: 1, count: 1, bytes: vec![0; bytes].into() };
    JournalEntry::Append(AppendRecord { epoch: 1, after: 0, begins: false, segment })
}

#[test]
fn a_group_is_bounded_by_entries_and_bytes_and_has_one_entry_of_each_response() {
    let (one, two) = (ResponseId::new(), ResponseId::new());
    let any = |bytes| append(ResponseId::new(), bytes);
    let table = [
        (vec![any(1), any(1), any(1), any(1)], vec![3, 1]),
        (vec![any(60), any(40), any(1)], vec![2, 1]),
        (vec![any(60), any(41), any(1)], vec![2, 1]),
        (vec![any(1), any(1_000), any(1)], vec![2, 1]),
        (vec![append(one, 1), append(two, 1), append(one, 1), any(1)], vec![3, 1]),
    ];
    for (entries, expected) in table {
        let mut queue = Queue::default();
        for entry in entries {
            queue.push(entry, Box::new(|_| {}));
        }
        let mut groups = Vec::new();
        while let Some(group) = queue.take(GroupBounds { entries: 3, bytes: 100 }, Instant::now()) {
            groups.push(group.len());
            queue.settle();
        }
        assert_eq!(groups, expected);
    }
}

#[actix::test]
async fn a_response_is_deleted_once_for_all_who_ask_also_where_the_first_ones_have_left() {
    let (journal, roster) = (Journal::default(), Roster::new());
    let store = Slow::new(9, Vec::new());
    let response = ResponseId::new();
    for _ in 0..20 {
        let left = futures_util::poll!(std::pin::pin!(journal.delete(response)));
        assert!(left.is_pending());
    }
    let waiting = [journal.delete(response), journal.delete(ResponseId::new()), journal.delete(response)];
    let mut waiting = std::pin::pin!(join_all(waiting));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let _writer = writer(&roster, store.clone(), &journal);
    assert_eq!(waiting.await, [Some(Written::Committed); 3]);
    assert_eq!(*store.groups.lock(), [2], "one entry of each response");
}
