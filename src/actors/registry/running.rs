//! The supervisors that run, by their responses.

use std::collections::HashMap;

use crate::protocol::ResponseId;

/// The supervisors that run. Each has a number: what is left of one that was given up, on a blocked thread, may report
/// when the response has another one, which that does not concern.
#[derive(Debug)]
pub(super) struct RunningSupervisors<C> {
    children: HashMap<ResponseId, (u64, C)>,
    /// How many were started.
    started: u64,
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

    pub(super) fn insert(&mut self, id: ResponseId, number: u64, child: C) {
        self.children.insert(id, (number, child));
    }

    /// Removes the supervisor of a response, whichever it is. Returns whether there was one.
    pub(super) fn remove(&mut self, id: ResponseId) -> bool {
        self.children.remove(&id).is_some()
    }

    /// Whether the supervisor of that number runs the response.
    pub(super) fn is_run_by(&self, id: ResponseId, number: u64) -> bool {
        self.children.get(&id).is_some_and(|(running, _)| *running == number)
    }

    pub(super) fn get(&self, id: &ResponseId) -> Option<&C> {
        self.children.get(id).map(|(_, child)| child)
    }

    pub(super) fn contains_key(&self, id: &ResponseId) -> bool {
        self.children.contains_key(id)
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &C> {
        self.children.values().map(|(_, child)| child)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (ResponseId, &mut C)> {
        self.children.iter_mut().map(|(id, (_, child))| (*id, child))
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
        running.insert(id, first, "first");
        assert!(running.is_run_by(id, first) && running.remove(id));
        assert!(!running.is_run_by(id, first) && !running.remove(id));
        let second = running.next_number();
        running.insert(id, second, "second");
        assert_eq!((running.is_run_by(id, first), running.is_run_by(id, second)), (false, true));
        assert_eq!((running.get(&id), running.len()), (Some(&"second"), 1));
    }
}
