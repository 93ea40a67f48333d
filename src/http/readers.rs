//! Who reads responses again, and how many of them there may be.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;

use super::{ApiError, HttpOptions, error_code::ErrorCode};
use crate::access::Principal;
use crate::protocol::{ResponseId, UserId};

/// The readers of all responses: connections that take a response that is there already. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Readers(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    // What is asked for need not be there: who names another user's response is counted apart.
    of_response: HashMap<(UserId, ResponseId), usize>,
    of_key: HashMap<String, usize>,
}

/// One reader. Dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Reader {
    readers: Readers,
    response: (UserId, ResponseId),
    key: String,
}

impl Readers {
    /// Takes in one more.
    ///
    /// # Errors
    /// If the response or the key has as many as it may.
    pub(super) fn enter(&self, of: &Principal, id: ResponseId, options: &HttpOptions) -> Result<Reader, ApiError> {
        let (response, key) = ((of.user, id), of.key_id.clone());
        let mut counts = self.0.lock();
        if counts.of_response.get(&response).is_some_and(|count| *count >= options.readers_per_response) {
            return Err(too_many("This response has too many readers. Please retry later."));
        }
        if counts.of_key.get(&key).is_some_and(|count| *count >= options.readers_per_key) {
            return Err(too_many("This API key reads too many responses at the same time. Please retry later."));
        }
        *counts.of_response.entry(response).or_default() += 1;
        *counts.of_key.entry(key.clone()).or_default() += 1;
        Ok(Reader { readers: self.clone(), response, key })
    }
}

fn too_many(message: &'static str) -> ApiError {
    ApiError::busy(ErrorCode::TooManyReaders, message)
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut counts = self.readers.0.lock();
        leave(&mut counts.of_response, &self.response);
        leave(&mut counts.of_key, &self.key);
    }
}

fn leave<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn principal(key: &str) -> Principal {
        Principal { user: UserId::new(), key_id: key.to_owned() }
    }

    #[test]
    fn readers_of_a_response_and_of_a_key_are_bounded_each_and_leave_nothing_behind() {
        let options = HttpOptions { readers_per_response: 2, readers_per_key: 3, ..HttpOptions::default() };
        let (readers, id, other) = (Readers::default(), ResponseId::new(), ResponseId::new());
        let (a, b) = (principal("a"), principal("b"));
        let mut inside = vec![readers.enter(&a, id, &options).unwrap(), readers.enter(&a, id, &options).unwrap()];
        assert!(readers.enter(&a, id, &options).is_err(), "the response has enough");
        inside.push(readers.enter(&a, other, &options).unwrap());
        assert!(readers.enter(&a, ResponseId::new(), &options).is_err(), "the key has enough");
        inside.push(readers.enter(&b, id, &options).unwrap());
        inside.remove(0);
        inside.push(readers.enter(&a, id, &options).unwrap());
        drop(inside);
        let counts = readers.0.lock();
        assert!(counts.of_response.is_empty() && counts.of_key.is_empty());
    }
}
