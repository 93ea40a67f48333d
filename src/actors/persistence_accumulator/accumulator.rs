//! The accumulator actor.

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient};

use super::SharedWriteBuffer;
use crate::actors::{
    journal_writer::{Journal, Written},
    supervision::Ping,
};
use crate::store::{Conflict, JournalEntry, Segment};

/// Turns the facts of one response into encrypted segments and makes them durable, one entry at a time: while one is
/// being committed the next is gathered.
///
/// In: [`Work`]. Out: [`StoreFact`]s. Ends: when the ending is durable, or an entry can't be sealed.
#[derive(Debug)]
pub(crate) struct PersistenceAccumulator {
    write_buffer: SharedWriteBuffer,
    journal: Journal,
    parent: Recipient<StoreFact>,
}

/// The result of writing the facts. Sent to the supervisor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum StoreFact {
    /// The response is accepted, and all facts below this number are durable.
    Admitted { facts: u64 },
    /// All facts below this number are durable.
    Stored { facts: u64 },
    /// The ending is durable.
    Ended,
    /// Another owner has the response, or has ended it.
    OwnershipLost(Conflict),
    /// The database refused the entry with an error.
    Refused,
}

/// Wakes the accumulator: there may be facts to write.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Work;

/// Submits the entry that the database refused once more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Retry;

/// The result of the entry in flight.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Acknowledge {
    ticket: u64,
    written: Written,
}

impl PersistenceAccumulator {
    pub(crate) fn new(write_buffer: SharedWriteBuffer, journal: Journal, parent: Recipient<StoreFact>) -> Self {
        Self { write_buffer, journal, parent }
    }

    fn submit_next(&self, again: bool, ctx: &mut Context<Self>) {
        let (next, ticket) = {
            let mut write_buffer = self.write_buffer.borrow_mut();
            (write_buffer.next_entry(again), write_buffer.ticket())
        };
        match next {
            Ok(Some(entry)) => {
                let this = ctx.address();
                self.journal.submit(entry, move |written| this.do_send(Acknowledge { ticket, written }));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(error = %error, "an entry of the journal could not be sealed");
                ctx.stop();
            }
        }
    }
}

impl Actor for PersistenceAccumulator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.submit_next(true, ctx);
    }
}

impl Handler<Work> for PersistenceAccumulator {
    type Result = ();

    fn handle(&mut self, _: Work, ctx: &mut Self::Context) {
        self.submit_next(false, ctx);
    }
}

impl Handler<Retry> for PersistenceAccumulator {
    type Result = ();

    fn handle(&mut self, _: Retry, ctx: &mut Self::Context) {
        self.submit_next(true, ctx);
    }
}

impl Handler<Acknowledge> for PersistenceAccumulator {
    type Result = ();

    fn handle(&mut self, Acknowledge { ticket, written }: Acknowledge, ctx: &mut Self::Context) {
        // An entry that was submitted twice is answered twice.
        if ticket != self.write_buffer.borrow().ticket() {
            return;
        }
        if written == Written::Failed {
            // Kept in flight: the supervisor decides when it is tried again.
            self.parent.do_send(StoreFact::Refused);
            return;
        }
        let Some(entry) = self.write_buffer.borrow_mut().acknowledge() else { return };
        let fact = match written {
            Written::Conflict(conflict) => StoreFact::OwnershipLost(conflict),
            Written::Committed | Written::Failed => fact_of(&entry),
        };
        let over = matches!(fact, StoreFact::Ended | StoreFact::OwnershipLost(_));
        self.parent.do_send(fact);
        if over {
            ctx.stop();
        } else {
            self.submit_next(false, ctx);
        }
    }
}

fn fact_of(entry: &JournalEntry) -> StoreFact {
    match entry {
        JournalEntry::Admit(admission) => {
            StoreFact::Admitted { facts: admission.segment.as_ref().map_or(0, Segment::end) }
        }
        JournalEntry::Append(append) => StoreFact::Stored { facts: append.segment.end() },
        JournalEntry::End(_) => StoreFact::Ended,
        // An accumulator never submits these.
        JournalEntry::Claim(_) | JournalEntry::Delete(_) => StoreFact::Refused,
    }
}

impl Handler<Ping> for PersistenceAccumulator {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
