use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{Journal, JournalWriter, Written};
use crate::actors::{
    Label, Role,
    supervision::{Child, Fault, Roster, spawn},
};
use crate::protocol::ResponseId;
use crate::store::{CommitOutcome, Error, GroupCommit, JournalEntry, MemoryStore};

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

const LABEL: Label = Label::node(Role::JournalWriter);

fn writer(roster: &Roster<Label>, group_commit: Arc<dyn GroupCommit>, journal: &Journal) -> Child<JournalWriter> {
    let shared = journal.clone();
    let child = spawn(roster, LABEL, move |_| JournalWriter::new(group_commit, shared), |_| {});
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
