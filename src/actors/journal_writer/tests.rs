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

use super::{
    Journal, JournalWriter, Written,
    choice::GroupBounds,
    queue::{NoRoom, Queue},
};
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

/// A queue whose entries note their names when they are committed.
struct NamedQueue {
    queue: Queue,
    order: Arc<Mutex<Vec<&'static str>>>,
    now: Instant,
}

impl NamedQueue {
    fn new() -> Self {
        Self { queue: Queue::default(), order: Arc::default(), now: Instant::now() }
    }

    fn push(&mut self, entry: JournalEntry, name: &'static str) {
        let order = Arc::clone(&self.order);
        self.queue.push(entry, Box::new(move |_| order.lock().push(name)));
    }

    /// Takes the next group. How many entries it has.
    fn take(&mut self) -> usize {
        self.queue.take(GroupBounds { entries: 9, bytes: 1_000 }, self.now).map_or(0, |group| group.len())
    }

    fn no_room(&mut self) -> NoRoom {
        self.take();
        self.queue.has_no_room(self.now)
    }

    /// The names of the entries that are committed next.
    fn commit(&mut self) -> Vec<&'static str> {
        self.take();
        self.queue.settle().into_iter().for_each(|reply| reply(Written::Committed));
        std::mem::take(&mut *self.order.lock())
    }
}

#[test]
fn where_there_is_no_room_deletions_take_turns_with_all_else_and_none_comes_before_what_is_earlier_of_its_response() {
    let (mut queue, ends, written) = (NamedQueue::new(), ResponseId::new(), ResponseId::new());
    queue.push(append(written, 1), "append");
    queue.push(JournalEntry::Delete(ResponseId::new()), "deletion of the group");
    assert_eq!(queue.no_room(), NoRoom::Waits);
    queue.push(append(ends, 1), "later append");
    queue.push(JournalEntry::Delete(ends), "deletion behind an append");
    queue.push(JournalEntry::Delete(written), "deletion behind an append that found no room");
    queue.push(JournalEntry::Delete(ResponseId::new()), "later deletion");
    assert_eq!(queue.commit(), ["deletion of the group"]);
    assert!(queue.queue.away && queue.queue.full, "nothing else was written yet");
    assert_eq!((queue.take(), queue.no_room()), (1, NoRoom::Waits), "the append has its turn");
    assert_eq!(queue.commit(), ["later deletion"]);
    assert_eq!(queue.commit(), ["append"]);
    assert!(!queue.queue.away && !queue.queue.full, "there is room");
    assert_eq!(queue.commit(), ["later append", "deletion behind an append that found no room"]);
    assert_eq!(queue.commit(), ["deletion behind an append"]);
}

#[test]
fn deletions_that_find_no_room_together_are_tried_in_smaller_groups_and_one_alone_holds_up_no_other() {
    let (mut queue, too_large) = (NamedQueue::new(), ResponseId::new());
    queue.push(JournalEntry::Delete(too_large), "too large");
    for name in ["a", "b", "c", "d"] {
        queue.push(JournalEntry::Delete(ResponseId::new()), name);
    }
    for entries in [5, 2] {
        assert_eq!((queue.take(), queue.no_room()), (entries, NoRoom::Fewer));
    }
    assert_eq!((queue.take(), queue.no_room()), (1, NoRoom::PutOff(too_large)));
    queue.push(append(ResponseId::new(), 1), "append");
    assert_eq!(queue.commit(), ["append"]);
    assert!(!queue.queue.full);
    assert_eq!((queue.commit(), queue.commit()), (vec!["a"], vec!["b", "c", "d"]));
    assert_eq!(queue.no_room(), NoRoom::PutOff(too_large));
    assert!(!queue.queue.away && !queue.queue.full, "others may have room");
    assert_eq!(queue.take(), 0);
    queue.now += Duration::from_millis(500);
    assert_eq!(queue.commit(), ["too large"]);
}

#[test]
fn deletions_keep_to_the_number_that_finds_room_until_there_is_room_for_all_else() {
    let mut queue = NamedQueue::new();
    for name in ["a", "b", "c", "d", "e"] {
        queue.push(JournalEntry::Delete(ResponseId::new()), name);
    }
    assert_eq!((queue.no_room(), queue.no_room()), (NoRoom::Fewer, NoRoom::Fewer));
    let groups: Vec<_> = std::iter::repeat_with(|| queue.commit()).take(5).collect();
    assert_eq!(groups, [["a"], ["b"], ["c"], ["d"], ["e"]]);
    assert!(!queue.queue.away && !queue.queue.full, "nothing else waits");
}

#[test]
fn an_entry_that_finds_no_room_is_waited_for_also_if_it_was_put_off_before() {
    let (mut queue, locked) = (NamedQueue::new(), ResponseId::new());
    queue.push(append(locked, 1), "append");
    queue.take();
    queue.queue.defer(queue.now);
    queue.now += Duration::from_millis(250);
    assert_eq!(queue.no_room(), NoRoom::Waits);
    assert_eq!(queue.take(), 1);
    let later = queue.now + Duration::from_secs(5);
    assert!(queue.queue.is_unanswered_for(Duration::from_secs(5), later), "it is one of all by now");
    queue.queue.defer(queue.now);
    assert_eq!(queue.queue.wakes_at(queue.now), Some(queue.now + Duration::from_millis(500)), "the second time");
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
