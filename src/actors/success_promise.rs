//! The promise of success: whether the clients of a response are told of success or of failure.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, Ordering},
};

const OPEN: u8 = 0;
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;

/// A decision that is made once for all clients of a response, by the first of these: a connection that is about to
/// send a success status, or the response, which is about to fail without output and to release its idempotency key.
#[derive(Debug, Clone, Default)]
pub(crate) struct SuccessPromise(Arc<AtomicU8>);

impl SuccessPromise {
    /// Decides for success. False if failure is decided already.
    pub(crate) fn succeed(&self) -> bool {
        self.decide(SUCCESS)
    }

    /// Decides for failure. False if success is decided already.
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

/// The promise as a client stream has it: that of the running response once the client has joined it. For a response
/// that has ended it stays empty, because nothing is left to decide.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedSuccessPromise(Arc<OnceLock<SuccessPromise>>);

impl SharedSuccessPromise {
    /// Takes the promise of the response that the client joined. A second one changes nothing.
    pub(crate) fn join(&self, promise: &SuccessPromise) {
        self.0.get_or_init(|| promise.clone());
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
