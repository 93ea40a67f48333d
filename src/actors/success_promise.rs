//! What the clients of a response are told first: a success or a failure.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, Ordering},
};

const OPEN: u8 = 0;
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;

/// Decided once for all clients of a response, by whoever comes first: who is about to tell a client of a success, or
/// the response, which is about to fail without a word and lets its idempotency key go.
#[derive(Debug, Clone, Default)]
pub(crate) struct SuccessPromise(Arc<AtomicU8>);

impl SuccessPromise {
    /// Decides for a success. False if it is decided otherwise.
    pub(crate) fn succeed(&self) -> bool {
        self.decide(SUCCESS)
    }

    /// Decides for a failure. False if it is decided otherwise.
    pub(crate) fn fail(&self) -> bool {
        self.decide(FAILURE)
    }

    fn decide(&self, wanted: u8) -> bool {
        let decided = self.0.compare_exchange(OPEN, wanted, Ordering::SeqCst, Ordering::SeqCst);
        decided.map_or_else(|before| before == wanted, |_| true)
    }

    fn is(&self, state: u8) -> bool {
        self.0.load(Ordering::SeqCst) == state
    }
}

/// The status line as a client's end has it: that of a running response once the client has its client. One that has
/// ended has none any more: what could be told was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedSuccessPromise(Arc<OnceLock<SuccessPromise>>);

impl SharedSuccessPromise {
    /// From now on this is the status line of that response. A second one changes nothing.
    pub(crate) fn join(&self, line: &SuccessPromise) {
        self.0.get_or_init(|| line.clone());
    }

    pub(super) fn succeed(&self) -> bool {
        self.0.get().is_none_or(SuccessPromise::succeed)
    }

    pub(super) fn has_succeeded(&self) -> bool {
        self.0.get().is_some_and(|line| line.is(SUCCESS))
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.0.get().is_some_and(|line| line.is(FAILURE))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{SharedSuccessPromise, SuccessPromise};

    #[test]
    fn the_first_word_stands_for_every_client() {
        let line = SuccessPromise::default();
        let clients = [SharedSuccessPromise::default(), SharedSuccessPromise::default()];
        clients.iter().for_each(|client| client.join(&line));
        assert!(clients[0].succeed() && clients[1].succeed());
        assert!(!line.fail() && clients[1].has_succeeded() && !clients[1].has_failed());

        let line = SuccessPromise::default();
        let client = SharedSuccessPromise::default();
        client.join(&line);
        assert!(line.fail() && line.fail());
        assert!(!client.succeed() && client.has_failed() && !client.has_succeeded());
    }

    #[test]
    fn a_client_of_what_has_ended_may_always_be_told() {
        let client = SharedSuccessPromise::default();
        assert!(client.succeed() && !client.has_succeeded() && !client.has_failed());
    }

    #[test]
    fn of_two_who_decide_at_once_one_wins() {
        for _ in 0..200 {
            let line = SuccessPromise::default();
            let (succeeds, fails) = (line.clone(), line.clone());
            let succeeded = thread::spawn(move || succeeds.succeed());
            let failed = fails.fail();
            assert_ne!(succeeded.join().ok(), Some(failed));
        }
    }
}
