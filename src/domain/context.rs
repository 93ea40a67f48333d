//! What of a conversation goes into a prompt.

use std::collections::HashSet;

use crate::protocol::{FunctionCallOutput, Item, ItemId, ItemStatus, ResponseId};

/// What the model is told of a call that nobody answered.
const UNANSWERED: &str = "This call was not answered.";

/// Why a conversation can't go on with an input.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incoherent {
    /// The input answers a call that nobody made.
    #[error("No tool call found for function call output with call_id {0}.")]
    OutputWithoutCall(String),
    /// The input has a call without its answer.
    #[error("No tool output found for function call {0}.")]
    CallWithoutOutput(String),
}

// Call ids may be the client's own words.
impl std::fmt::Debug for Incoherent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OutputWithoutCall(_) => "OutputWithoutCall",
            Self::CallWithoutOutput(_) => "CallWithoutOutput",
        })
    }
}

/// Checks that each call of the input is answered in it, and that each answer of it has its call before it,
/// in the input or in the history.
///
/// # Errors
/// The first item that is alone.
pub fn check_calls(history: &[Item], input: &[Item]) -> Result<(), Incoherent> {
    let mut calls: HashSet<&str> = history.iter().filter_map(call_id).collect();
    for item in input {
        calls.extend(call_id(item));
        if let Some(answered) = answered_id(item).filter(|answered| !calls.contains(answered)) {
            return Err(Incoherent::OutputWithoutCall(answered.to_owned()));
        }
    }
    let answered: HashSet<&str> = input.iter().filter_map(answered_id).collect();
    match input.iter().filter_map(call_id).find(|call| !answered.contains(call)) {
        Some(call) => Err(Incoherent::CallWithoutOutput(call.to_owned())),
        None => Ok(()),
    }
}

/// Makes a history one that a provider accepts: a call that neither the history nor the input answers is
/// followed by an answer that says so, and an answer whose call is not there is left out.
#[must_use]
pub fn close_calls(response: ResponseId, history: Vec<Item>, input: &[Item]) -> Vec<Item> {
    let answered: HashSet<String> = history.iter().chain(input).filter_map(answered_id).map(str::to_owned).collect();
    let mut calls: HashSet<String> = HashSet::new();
    let mut closed = Vec::with_capacity(history.len());
    for item in history {
        if answered_id(&item).is_some_and(|answered| !calls.contains(answered)) {
            continue;
        }
        let call = call_id(&item).map(str::to_owned);
        closed.push(item);
        let Some(call) = call else { continue };
        if !answered.contains(&call) {
            closed.push(unanswered(response, closed.len(), &call));
        }
        calls.insert(call);
    }
    closed
}

/// From which item of a history on there is room, given what each item and everything else costs in tokens.
/// None if there is no room for everything else alone.
#[must_use]
pub fn newest_that_fit(costs: &[u32], fixed: u32, budget: u32) -> Option<usize> {
    let mut room = budget.checked_sub(fixed)?;
    let mut first = costs.len();
    for cost in costs.iter().rev() {
        match room.checked_sub(*cost) {
            Some(rest) => room = rest,
            None => break,
        }
        first -= 1;
    }
    Some(first)
}

/// How many tokens may come out if the client does not say: the model's default, but never more than half of
/// its window, so that there is room for a prompt.
#[must_use]
pub fn default_output_tokens(context_window: u32, default: u32) -> u32 {
    default.min(context_window / 2)
}

fn unanswered(response: ResponseId, place: usize, call: &str) -> Item {
    // The item is part of the prompt only; it is never stored, and its id is seen by nobody.
    let id = ItemId::of_input("fco_unanswered_", response, u32::try_from(place).unwrap_or(u32::MAX));
    Item::FunctionCallOutput(FunctionCallOutput {
        id,
        call_id: call.to_owned(),
        output: UNANSWERED.to_owned(),
        status: ItemStatus::Incomplete,
    })
}

fn call_id(item: &Item) -> Option<&str> {
    match item {
        Item::FunctionCall(call) => Some(&call.call_id),
        Item::Message(_) | Item::Reasoning(_) | Item::FunctionCallOutput(_) | Item::Other(_) => None,
    }
}

fn answered_id(item: &Item) -> Option<&str> {
    match item {
        Item::FunctionCallOutput(output) => Some(&output.call_id),
        Item::Message(_) | Item::Reasoning(_) | Item::FunctionCall(_) | Item::Other(_) => None,
    }
}
