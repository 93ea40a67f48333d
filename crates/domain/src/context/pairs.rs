//! Which call is answered by which item.

use std::collections::HashMap;

use super::{answered_id, call_id};
use antiphon_protocol::Item;

/// The calls of a conversation and their answers, by their places in it.
pub(super) struct Pairs {
    answers: HashMap<usize, usize>,
    calls: HashMap<usize, usize>,
}

impl Pairs {
    /// An answer belongs to the nearest call of its id before it that has none yet, else to the first one after it,
    /// but none of the history to one of the input, which begins at `input`. Clients may write the answers of one
    /// turn in any order, and some providers use an id again in a later turn.
    pub(super) fn of(items: &[&Item], input: usize) -> Self {
        let mut pairs = Self { answers: HashMap::new(), calls: HashMap::new() };
        let mut open: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut early = Vec::new();
        for (place, item) in items.iter().enumerate() {
            if let Some(id) = call_id(item) {
                open.entry(id).or_default().push(place);
            } else if let Some(id) = answered_id(item) {
                match open.get_mut(id).and_then(Vec::pop) {
                    Some(call) => pairs.pair(call, place),
                    None => early.push((place, id)),
                }
            }
        }
        for (answer, id) in early {
            let Some(open) = open.get_mut(id) else { continue };
            let is_its = |call: &usize| *call > answer && (*call < input || answer >= input);
            if let Some(first) = open.iter().position(is_its) {
                pairs.pair(open.remove(first), answer);
            }
        }
        pairs
    }

    fn pair(&mut self, call: usize, answer: usize) {
        self.answers.insert(call, answer);
        self.calls.insert(answer, call);
    }

    /// The place of a call's answer.
    pub(super) fn answer_of(&self, call: usize) -> Option<usize> {
        self.answers.get(&call).copied()
    }

    /// The place of the call that an item answers.
    pub(super) fn call_of(&self, answer: usize) -> Option<usize> {
        self.calls.get(&answer).copied()
    }
}
