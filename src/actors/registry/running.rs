//! The supervisors that run, by their responses.

use std::collections::HashMap;

use crate::actors::success_promise::SuccessPromise;
use crate::protocol::ResponseId;

/// The supervisors that run. Each has a number: what is left of one that was given up, on a blocked thread, may report
/// when the response has another one, which that does not concern.
#[derive(Debug)]
pub(super) struct RunningSupervisors<C> {
    children: HashMap<ResponseId, RunningSupervisor<C>>,
    /// How many were started.
    started: u64,
}

#[derive(Debug)]
pub(super) struct RunningSupervisor<C> {
    pub(super) number: u64,
    pub(super) child: C,
    /// What its clients are told; none if it goes on with a response whose clients an earlier process may have told.
    pub(super) promise: Option<SuccessPromise>,
}

impl<C> Default for RunningSupervisors<C> {
    fn default() -> Self {
        Self { children: HashMap::new(), started: 0 }
    }
}

impl<C> RunningSupervisors<C> {
    /// The number of the next supervisor.
    pub(super) fn next_number(&mut self) -> u64 {
        self.started += 1;
        self.started
    }

    pub(super) fn insert(&mut self, id: ResponseId, running: RunningSupervisor<C>) {
        self.children.insert(id, running);
    }

    /// Removes the supervisor of a response, whichever it is, and returns it.
    pub(super) fn remove(&mut self, id: ResponseId) -> Option<RunningSupervisor<C>> {
        self.children.remove(&id)
    }

    /// The response and the number of each.
    pub(super) fn numbers(&self) -> Vec<(ResponseId, u64)> {
        self.children.iter().map(|(id, running)| (*id, running.number)).collect()
    }

    /// Whether the supervisor of that number runs the response.
    pub(super) fn is_run_by(&self, id: ResponseId, number: u64) -> bool {
        self.children.get(&id).is_some_and(|running| running.number == number)
    }

    pub(super) fn get(&self, id: &ResponseId) -> Option<&C> {
        self.children.get(id).map(|running| &running.child)
    }

    pub(super) fn contains_key(&self, id: &ResponseId) -> bool {
        self.children.contains_key(id)
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &C> {
        self.children.values().map(|running| &running.child)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (ResponseId, &mut C)> {
        self.children.iter_mut().map(|(id, running)| (*id, &mut running.child))
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_word_of_a_supervisor_that_was_given_up_concerns_no_later_one() {
        let (id, mut running) = (ResponseId::new(), RunningSupervisors::default());
        let first = running.next_number();
        running.insert(id, RunningSupervisor { number: first, child: "first", promise: None });
        assert!(running.is_run_by(id, first) && running.remove(id).is_some());
        assert!(!running.is_run_by(id, first) && running.remove(id).is_none());
        let second = running.next_number();
        running.insert(id, RunningSupervisor { number: second, child: "second", promise: None });
        assert_eq!((running.is_run_by(id, first), running.is_run_by(id, second)), (false, true));
        assert_eq!((running.get(&id), running.len()), (Some(&"second"), 1));
    }
}
