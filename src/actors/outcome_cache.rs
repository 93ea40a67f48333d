//! How responses ended, for those who ask again.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::actors::client_stream::ResponseOutcome;
use crate::protocol::ResponseId;

/// The outcomes that were read last, as many as fit: to tell one of them again needs no fold. An outcome never changes;
/// whether the response is still there is asked of the database.
#[derive(Debug)]
pub(crate) struct OutcomeCache {
    most_bytes: usize,
    bytes: usize,
    outcomes: HashMap<ResponseId, (Arc<ResponseOutcome>, usize)>,
    oldest_first: VecDeque<ResponseId>,
}

impl OutcomeCache {
    /// An empty cache for about that many bytes.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, bytes: 0, outcomes: HashMap::new(), oldest_first: VecDeque::new() }
    }

    pub(crate) fn get(&self, id: ResponseId) -> Option<Arc<ResponseOutcome>> {
        self.outcomes.get(&id).map(|(outcome, _)| Arc::clone(outcome))
    }

    /// Keeps an outcome; the oldest ones make room for it. One that is larger than all room is not kept.
    pub(crate) fn insert(&mut self, id: ResponseId, outcome: &Arc<ResponseOutcome>, bytes: usize) {
        if bytes > self.most_bytes || self.outcomes.contains_key(&id) {
            return;
        }
        while self.bytes + bytes > self.most_bytes {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            self.forget(oldest);
        }
        self.bytes += bytes;
        self.outcomes.insert(id, (Arc::clone(outcome), bytes));
        self.oldest_first.push_back(id);
    }

    /// Drops the outcome of a response that is deleted.
    pub(crate) fn remove(&mut self, id: ResponseId) {
        if self.forget(id) {
            self.oldest_first.retain(|kept| *kept != id);
        }
    }

    fn forget(&mut self, id: ResponseId) -> bool {
        let forgotten = self.outcomes.remove(&id);
        self.bytes -= forgotten.as_ref().map_or(0, |(_, bytes)| *bytes);
        forgotten.is_some()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use std::sync::Arc;

    use super::{OutcomeCache, ResponseOutcome};
    use crate::domain::{Fact, Request, Timestamp, Transcript};
    use crate::protocol::{ResponseId, Status};

    fn outcome(id: ResponseId) -> Arc<ResponseOutcome> {
        let (at, mut transcript) = (Timestamp::from_micros(1), Transcript::new(id));
        for fact in [Fact::Accepted { id, at, request: Box::new(Request::new("m", 1)) }, Fact::Ended { at }] {
            transcript.apply(fact, &mut Vec::new());
        }
        let response = Arc::from(transcript.response().unwrap());
        Arc::new(ResponseOutcome {
            status: Status::Failed,
            cause: None,
            response,
            provider_status: None,
            rejection_status: None,
            retry_after: None,
        })
    }

    #[test]
    fn the_oldest_make_room_and_what_is_deleted_is_gone() {
        let ids = [ResponseId::new(), ResponseId::new(), ResponseId::new(), ResponseId::new()];
        let mut cache = OutcomeCache::new(100);
        let kept = |cache: &OutcomeCache| ids.map(|id| cache.get(id).is_some());
        for id in &ids[..2] {
            cache.insert(*id, &outcome(*id), 40);
            cache.insert(*id, &outcome(*id), 40);
        }
        assert_eq!(kept(&cache), [true, true, false, false]);
        cache.insert(ids[2], &outcome(ids[2]), 60);
        assert_eq!(kept(&cache), [false, true, true, false]);
        cache.insert(ids[3], &outcome(ids[3]), 101);
        assert_eq!(kept(&cache), [false, true, true, false], "what is too large is not kept");
        cache.remove(ids[1]);
        cache.insert(ids[3], &outcome(ids[3]), 40);
        assert_eq!((kept(&cache), cache.bytes), ([false, false, true, true], 100));
    }
}
