//! The part of a conversation that goes into a prompt.

mod pairs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use pairs::CallPairs;
use serde::de::IgnoredAny;

use antiphon_protocol::{FunctionCall, FunctionCallOutput, Item, ItemId, ItemStatus, ResponseId, Role};

/// The output that a prompt has for a function call without one.
pub const UNANSWERED_CALL: &str = "This call was not answered.";

/// Why an input can't continue a conversation.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incoherent {
    /// The input has an output without a function call.
    #[error("No tool call found for function call output with call_id {0}.")]
    OutputWithoutCall(String),
    /// The input has a second output for a function call.
    #[error("There is more than one output for function call {0}.")]
    AnsweredTwice(String),
    /// A function call needs an output and has none.
    #[error("No tool output found for function call {0}.")]
    CallWithoutOutput(String),
}

// Call ids may be the client's own words.
impl std::fmt::Debug for Incoherent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OutputWithoutCall(_) => "OutputWithoutCall",
            Self::AnsweredTwice(_) => "AnsweredTwice",
            Self::CallWithoutOutput(_) => "CallWithoutOutput",
        })
    }
}

/// Checks that each output in the input has a call of its own, in the history or the input, and that each call in the
/// input, and in the history from item `completed_from` on, has an output. From there on the history is the output of a
/// response that completed.
///
/// A call needs no output if the model was interrupted, which the ending of its response or its incomplete items show.
/// So a client that sends the output of a cancelled response back can continue it, like one that names that response.
///
/// # Errors
/// The first output without a call, else the first call without an output.
pub fn check_calls(history: &[Item], completed_from: usize, input: &[Item]) -> Result<(), Incoherent> {
    let pairs = CallPairs::of(history, input);
    let of_input = || input.iter().zip(history.len()..);
    for (item, position) in of_input() {
        let Some(id) = answered_id(item).filter(|_| pairs.position_of_call(position).is_none()) else { continue };
        let is_known = history.iter().chain(input).any(|item| call_id(item) == Some(id));
        let id = id.to_owned();
        return Err(if is_known { Incoherent::AnsweredTwice(id) } else { Incoherent::OutputWithoutCall(id) });
    }
    let completed = history.iter().enumerate().skip(completed_from).map(|(position, item)| (item, position));
    let whole = of_input().zip(interrupted(input)).filter_map(|(call, interrupted)| (!interrupted).then_some(call));
    let alone = completed
        .chain(whole)
        .find_map(|(item, position)| call_id(item).filter(|_| pairs.output_of(position).is_none()));
    alone.map_or(Ok(()), |id| Err(Incoherent::CallWithoutOutput(id.to_owned())))
}

/// Tells for each item whether a model wrote it before it was interrupted: it is part of a stretch of the model's
/// items of which one is incomplete.
fn interrupted(items: &[Item]) -> Vec<bool> {
    let stretches = items.chunk_by(|one, next| is_of_model(one) == is_of_model(next));
    let is_cut = |item: &Item| status_of_models(item).is_some_and(|status| status != ItemStatus::Completed);
    stretches.flat_map(|stretch| std::iter::repeat_n(stretch.iter().any(is_cut), stretch.len())).collect()
}

/// Whether a model wrote the item, and not a client.
fn is_of_model(item: &Item) -> bool {
    status_of_models(item).is_some()
}

/// The status of an item that a model wrote; none for those of clients.
fn status_of_models(item: &Item) -> Option<ItemStatus> {
    match item {
        Item::Message(message) => (message.role == Role::Assistant).then_some(message.status),
        Item::Reasoning(reasoning) => Some(reasoning.status),
        Item::FunctionCall(call) => Some(call.status),
        Item::Other(_) => Some(ItemStatus::Completed),
        Item::FunctionCallOutput(_) => None,
    }
}

/// Makes a conversation that providers accept from a history and an input: each turn of the model is followed by the
/// outputs of its calls, in their order. A call without an output gets one that says so, and an output without a call
/// is left out.
///
/// The result has the same [`CallPairs`] as the history and the input.
#[must_use]
pub fn close_calls(response: ResponseId, history: &[Item], input: &[Item]) -> Vec<Item> {
    let pairs = CallPairs::of(history, input);
    let mut closed = Vec::with_capacity(history.len() + input.len());
    let mut outputs = Vec::new();
    for (position, item) in history.iter().chain(input).enumerate() {
        if !is_of_model(item) {
            closed.append(&mut outputs);
        }
        match item {
            Item::FunctionCall(call) => {
                closed.push(Item::FunctionCall(sendable(call)));
                let output = pairs.output_of(position).cloned();
                let output = output.unwrap_or_else(|| unanswered(response, position, &call.call_id));
                outputs.push(Item::FunctionCallOutput(output));
            }
            Item::FunctionCallOutput(_) => {}
            Item::Message(_) | Item::Reasoning(_) | Item::Other(_) => closed.push(item.clone()),
        }
    }
    closed.append(&mut outputs);
    closed
}

/// The position in the history at which the current turn begins: the calls that the input answers, with what the model
/// wrote right before them.
#[must_use]
pub fn current_turn(history: &[Item], input: &[Item]) -> usize {
    let pairs = CallPairs::of(history, input);
    let is_answered_now = |call: &usize| pairs.position_of_output(*call).is_some_and(|output| output >= history.len());
    let Some(call) = (0..history.len()).find(is_answered_now) else { return history.len() };
    let before = history.iter().take(call).rev();
    call - before.take_while(|item| is_of_model(item)).count()
}

/// A call as providers accept it: the arguments of one that was cut may be half an object.
fn sendable(call: &FunctionCall) -> FunctionCall {
    let mut call = call.clone();
    let is_object = || serde_json::from_str::<BTreeMap<String, IgnoredAny>>(&call.arguments).is_ok();
    if call.status != ItemStatus::Completed && !is_object() {
        call.arguments = "{}".to_owned();
    }
    call
}

/// The position of the oldest item of a history that fits, given what each item and everything else costs in tokens.
/// None if everything else alone does not fit.
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

/// Tokens of the context window that a prompt leaves free for an output without a limit.
const ROOM_FOR_OUTPUT: u32 = 2_048;

/// How many tokens of a context window are not for the prompt: as many as the output may have, else some.
#[must_use]
pub fn output_room(context_window: u32, max_output_tokens: Option<u32>) -> u32 {
    max_output_tokens.unwrap_or_else(|| ROOM_FOR_OUTPUT.min(context_window / 2))
}

fn unanswered(response: ResponseId, position: usize, call: &str) -> FunctionCallOutput {
    // The item is part of the prompt only; it is never stored, and its id is seen by nobody.
    let id = ItemId::of_input("fco_unanswered_", response, u32::try_from(position).unwrap_or(u32::MAX));
    FunctionCallOutput {
        id,
        call_id: call.to_owned(),
        output: UNANSWERED_CALL.to_owned(),
        status: ItemStatus::Incomplete,
    }
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
