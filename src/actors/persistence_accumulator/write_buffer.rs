//! The write buffer: what of a response is not yet known to be durable.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;

use crate::domain::{Fact, Idempotency};
use crate::fault::{self, FaultPoint};
use crate::journal::{CodecError, LogError, encode};
use crate::protocol::{Item, ResponseId, Status};
use crate::store::{
    AdmissionRecord, AppendRecord, EndingRecord, ItemSide, JournalEntry, LastSegment, ResponseRow, Segment, StoredItem,
};
use crate::vault::{CiphertextContext, Error, ResponseKey};

/// The write buffer as the supervisor, which fills it, and the accumulator, which empties it, share it. A restarted
/// accumulator loses nothing and encrypts nothing twice.
pub(crate) type SharedWriteBuffer = Rc<RefCell<WriteBuffer>>;

/// An ending before its last facts are encrypted.
#[derive(Debug, Clone)]
pub(crate) struct EndingDraft {
    /// The ending without content, last segment and items.
    pub(crate) ending: EndingRecord,
    /// The text of the answer.
    pub(crate) text: Option<String>,
    /// The output.
    pub(crate) items: Vec<Item>,
}

/// A response that is accepted and not yet stored.
#[derive(Debug, Clone)]
pub(crate) struct AcceptedResponse {
    /// The plain columns of the response.
    pub(crate) row: ResponseRow,
    /// The input.
    pub(crate) input: Vec<Item>,
    /// The idempotency key that the response claims.
    pub(crate) idempotency: Option<Idempotency>,
}

/// A response, and the epoch of the node that owns it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseOwner {
    pub(crate) id: ResponseId,
    pub(crate) epoch: i64,
}

/// The end of a stored log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogEnd {
    /// The number of facts in the log, which is the number of the next one.
    pub(crate) facts: u64,
    /// The number of the first fact of the last segment.
    pub(crate) last_segment: u64,
}

/// The write buffer: what of a response is not yet known to be durable.
#[derive(Debug)]
pub(crate) struct WriteBuffer {
    id: ResponseId,
    epoch: i64,
    /// The key of the response; none if it is not stored, so that no content leaves the write buffer.
    key: Option<ResponseKey>,
    /// The response itself, until it is submitted.
    admission: Option<AcceptedResponse>,
    ending: Option<Box<EndingDraft>>,
    /// Encoded facts, numbered from `first` on.
    facts: Vec<u8>,
    first: u64,
    count: u32,
    /// Whether these facts include the first one after the response waited in the queue.
    begins: bool,
    /// Where the last submitted segment begins.
    last_segment: u64,
    /// The entry that was submitted and is not acknowledged; kept unchanged until then.
    in_flight: Option<JournalEntry>,
    ticket: u64,
}

impl WriteBuffer {
    pub(crate) fn new(accepted: AcceptedResponse, key: Option<ResponseKey>) -> Self {
        let owner = ResponseOwner { id: accepted.row.id, epoch: accepted.row.epoch };
        let fresh = Self::resume(owner, key, LogEnd { facts: 0, last_segment: 0 });
        Self { admission: Some(accepted), ..fresh }
    }

    /// The write buffer of a response whose log ends at `log_end`.
    pub(crate) fn resume(owner: ResponseOwner, key: Option<ResponseKey>, log_end: LogEnd) -> Self {
        Self {
            id: owner.id,
            epoch: owner.epoch,
            key,
            admission: None,
            ending: None,
            facts: Vec::new(),
            first: log_end.facts,
            count: 0,
            begins: false,
            last_segment: log_end.last_segment,
            in_flight: None,
            ticket: 0,
        }
    }

    /// The owner's epoch.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    pub(crate) fn push(&mut self, fact: &Fact) -> Result<(), CodecError> {
        if self.key.is_some() {
            encode(fact, &mut self.facts)?;
            self.count += 1;
            self.begins |= matches!(fact, Fact::AttemptOpening { .. });
        }
        Ok(())
    }

    /// Sets the ending, which is submitted with all facts that are left.
    pub(crate) fn end(&mut self, draft: EndingDraft) {
        self.ending = Some(Box::new(draft));
    }

    /// The entry to submit: with `again` the one in flight once more, else the next one, which is then in flight.
    pub(super) fn next_entry(&mut self, again: bool) -> Result<Option<JournalEntry>, Error> {
        if let Some(entry) = &self.in_flight {
            return Ok(again.then(|| entry.clone()));
        }
        // What can't be sealed stays in the buffer, and the registry settles the response.
        self.in_flight = if let Some(accepted) = self.admission.clone() {
            let entry = self.admit(accepted)?;
            self.admission = None;
            Some(entry)
        } else if let Some(draft) = self.ending.take() {
            let sealed = self.seal_ending(&draft);
            if sealed.is_err() {
                self.ending = Some(draft);
            }
            Some(sealed?)
        } else {
            let after = self.last_segment;
            let segment = self.seal_facts()?;
            let begins = segment.is_some() && std::mem::take(&mut self.begins);
            segment.map(|segment| {
                fault::reach(FaultPoint::SegmentSealed);
                JournalEntry::Append(AppendRecord { epoch: self.epoch, after, begins, segment })
            })
        };
        self.ticket += u64::from(self.in_flight.is_some());
        Ok(self.in_flight.clone())
    }

    /// The number that tells the entry in flight from those before it.
    pub(super) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Removes the entry in flight, which is durable or in conflict.
    pub(super) fn acknowledge(&mut self) -> Option<JournalEntry> {
        self.in_flight.take()
    }

    fn admit(&mut self, accepted: AcceptedResponse) -> Result<JournalEntry, Error> {
        let AcceptedResponse { mut row, input, idempotency } = accepted;
        let items = self.seal_items(ItemSide::Input, &input)?;
        let segment = self.seal_facts()?;
        if std::mem::take(&mut self.begins) {
            row.status = Status::InProgress;
        }
        fault::reach(FaultPoint::AdmissionSealed);
        Ok(JournalEntry::Admit(Box::new(AdmissionRecord { row, items, segment, idempotency })))
    }

    fn seal_ending(&mut self, draft: &EndingDraft) -> Result<JournalEntry, Error> {
        let mut ending = match &self.key {
            Some(key) => seal_output(key, draft)?,
            None => draft.ending.clone(),
        };
        let after = self.last_segment;
        ending.last_segment = self.seal_facts()?.map(|segment| LastSegment { after, segment });
        fault::reach(FaultPoint::EndingSealed);
        Ok(JournalEntry::End(Box::new(ending)))
    }

    fn seal_facts(&mut self) -> Result<Option<Segment>, Error> {
        let Some(key) = self.key.as_ref().filter(|_| self.count > 0) else { return Ok(None) };
        let bytes = key.seal(CiphertextContext::Segment { first: self.first }, &self.facts)?;
        let segment = Segment { response: self.id, first: self.first, count: self.count, bytes };
        self.last_segment = self.first;
        self.first = segment.end();
        self.count = 0;
        self.facts.clear();
        Ok(Some(segment))
    }

    fn seal_items(&self, side: ItemSide, items: &[Item]) -> Result<Vec<StoredItem>, Error> {
        self.key.as_ref().map_or_else(|| Ok(Vec::new()), |key| seal_items(key, self.id, side, items))
    }
}

/// Seals the ending of a response whose log ends at `log_end`, with these facts as its last segment.
pub(crate) fn seal_ending(
    key: &ResponseKey,
    draft: &EndingDraft,
    log_end: LogEnd,
    facts: &[Fact],
) -> Result<EndingRecord, LogError> {
    let LogEnd { facts: first, last_segment: after } = log_end;
    let mut ending = seal_output(key, draft)?;
    let mut encoded = Vec::new();
    facts.iter().try_for_each(|fact| encode(fact, &mut encoded))?;
    let bytes = key.seal(CiphertextContext::Segment { first }, &encoded)?;
    let count = u32::try_from(facts.len()).map_err(|_| CodecError::Malformed)?;
    let segment = Segment { response: ending.id, first, count, bytes };
    ending.last_segment = Some(LastSegment { after, segment });
    Ok(ending)
}

fn seal_output(key: &ResponseKey, draft: &EndingDraft) -> Result<EndingRecord, Error> {
    let EndingDraft { ending, text, items } = draft;
    let seal = |text: &String| key.seal(CiphertextContext::Content, text.as_bytes());
    let content = text.as_ref().map(seal).transpose()?;
    let items = seal_items(key, ending.id, ItemSide::Output, items)?;
    Ok(EndingRecord { content, items, ..ending.clone() })
}

fn seal_items(key: &ResponseKey, id: ResponseId, side: ItemSide, items: &[Item]) -> Result<Vec<StoredItem>, Error> {
    let place = |position| CiphertextContext::Item { side, position, is_last: position as usize + 1 == items.len() };
    let sealed = items.iter().zip(0..).map(|(item, position)| {
        let content = seal_item(key, place(position), item)?;
        Ok(StoredItem { response: id, side, position, id: key.stored_item_id(item.id()), content })
    });
    sealed.collect()
}

/// Encrypts an item as the store keeps it.
fn seal_item(key: &ResponseKey, place: CiphertextContext, item: &Item) -> Result<Bytes, Error> {
    #[expect(clippy::expect_used, reason = "string keys, and no Serialize of the protocol fails")]
    let json = serde_json::to_vec(item).expect("items serialize");
    key.seal(place, &json)
}
