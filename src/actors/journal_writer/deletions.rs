//! The deletions of responses that clients wait for.

use std::collections::HashMap;

use tokio::sync::watch;

use super::Written;
use crate::protocol::ResponseId;

/// How many responses may wait for their deletion. Whoever gives up waiting leaves the deletion behind, so connections do not
/// bound them where the database writes nothing.
const MOST: usize = 1_000;

/// The deletions that are on their way: one of each response, whoever asks for it and however often.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    on_their_way: HashMap<ResponseId, watch::Sender<Option<Written>>>,
}

/// The result of a deletion, and whether it is still to be submitted.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) result: watch::Receiver<Option<Written>>,
    pub(super) is_first: bool,
}

impl Deletions {
    /// Joins the deletion of that response, or begins it. None if too many others wait.
    pub(super) fn join(&mut self, id: ResponseId) -> Option<Joined> {
        if let Some(deletion) = self.on_their_way.get(&id) {
            return Some(Joined { result: deletion.subscribe(), is_first: false });
        }
        if self.on_their_way.len() >= MOST {
            return None;
        }
        let (deletion, result) = watch::channel(None);
        self.on_their_way.insert(id, deletion);
        Some(Joined { result, is_first: true })
    }

    /// Tells all who wait for it the result of a deletion.
    pub(super) fn finish(&mut self, id: ResponseId, written: Written) {
        if let Some(deletion) = self.on_their_way.remove(&id) {
            deletion.send_replace(Some(written));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Deletions, MOST, Written};
    use crate::protocol::ResponseId;

    #[test]
    fn each_response_is_deleted_once_however_often_that_is_asked_and_no_more_wait_than_may() {
        let (mut deletions, first) = (Deletions::default(), ResponseId::new());
        let mut begin = |id| deletions.join(id).map(|joined| joined.is_first);
        assert_eq!(begin(first), Some(true));
        // Nobody waits for these any more: the callers have left.
        assert!((1..MOST).all(|_| begin(ResponseId::new()) == Some(true)));
        assert_eq!(begin(ResponseId::new()), None);
        assert_eq!(begin(first), Some(false));
        let again = deletions.join(first).map(|joined| joined.result);
        deletions.finish(first, Written::Committed);
        assert_eq!(again.and_then(|result| *result.borrow()), Some(Written::Committed));
        assert!(deletions.join(first).is_some_and(|joined| joined.is_first), "that one is over");
    }
}
