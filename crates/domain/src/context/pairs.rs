//! Which function call is answered by which output.

use std::collections::{HashMap, VecDeque};

use super::{call_id, is_of_model};
use antiphon_protocol::{FunctionCallOutput, Item};

/// The function calls of a conversation and the outputs that answer them, by their positions in it. This is the one
/// rule for all who pair them: validation, the prompt, and the providers' dialects.
///
/// An output answers a call of its `call_id` that has no output yet:
///
/// 1. one of the latest turn of the model before it that has such a call. Some providers count their calls anew in each
///    turn, so that an id comes again; an output is written for the calls that were just made, and not for one that an
///    earlier turn left open.
/// 2. within a turn the first one. Clients run the calls of a turn in their order and append the outputs as they go.
/// 3. without any before it, the first one behind it, since clients may write the items of one input in any order. An
///    output in the history never answers a call in the input, which is newer than it.
///
/// A call has one output: a second one of its id answers another call, or none. A turn is a stretch of items that the
/// model wrote, without an item of a client in between. Whether a call is complete does not matter.
pub struct CallPairs<'a> {
    outputs: HashMap<usize, (usize, &'a FunctionCallOutput)>,
    calls: HashMap<usize, usize>,
}

// What functions answered is content, and content is in no log.
impl std::fmt::Debug for CallPairs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallPairs").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl<'a> CallPairs<'a> {
    /// Pairs the calls and outputs of a history and the input that follows it. Positions count through both.
    #[must_use]
    pub fn of(history: &'a [Item], input: &'a [Item]) -> Self {
        let mut pairs = Self { outputs: HashMap::new(), calls: HashMap::new() };
        let mut open = OpenCalls::default();
        let mut early = Vec::new();
        for (position, item) in history.iter().chain(input).enumerate() {
            open.see(position, item);
            if let Item::FunctionCallOutput(output) = item {
                match open.take_latest(&output.call_id) {
                    Some(call) => pairs.pair(call, position, output),
                    None => early.push((position, output)),
                }
            }
        }
        for (position, output) in early {
            let is_newer = |call: usize| call >= history.len() && position < history.len();
            let call = open.take_first(&output.call_id, |call| call > position && !is_newer(call));
            if let Some(call) = call {
                pairs.pair(call, position, output);
            }
        }
        pairs
    }

    fn pair(&mut self, call: usize, position: usize, output: &'a FunctionCallOutput) {
        self.outputs.insert(call, (position, output));
        self.calls.insert(position, call);
    }

    /// The output that answers the call at that position.
    #[must_use]
    pub fn output_of(&self, call: usize) -> Option<&'a FunctionCallOutput> {
        self.outputs.get(&call).map(|(_, output)| *output)
    }

    /// The position of the output that answers the call at that position.
    #[must_use]
    pub fn position_of_output(&self, call: usize) -> Option<usize> {
        self.outputs.get(&call).map(|(position, _)| *position)
    }

    /// The position of the call that the output at that position answers.
    #[must_use]
    pub fn position_of_call(&self, output: usize) -> Option<usize> {
        self.calls.get(&output).copied()
    }
}

/// The calls without an output so far: by id, the calls of each turn of the model, oldest first.
#[derive(Default)]
struct OpenCalls<'a> {
    by_id: HashMap<&'a str, Vec<OpenTurn>>,
    turn: usize,
    in_turn: bool,
}

struct OpenTurn {
    turn: usize,
    calls: VecDeque<usize>,
}

impl<'a> OpenCalls<'a> {
    /// Takes note of an item.
    fn see(&mut self, position: usize, item: &'a Item) {
        if is_of_model(item) && !self.in_turn {
            self.turn += 1;
        }
        self.in_turn = is_of_model(item);
        let Some(id) = call_id(item) else { return };
        let turns = self.by_id.entry(id).or_default();
        match turns.last_mut().filter(|last| last.turn == self.turn) {
            Some(last) => last.calls.push_back(position),
            None => turns.push(OpenTurn { turn: self.turn, calls: VecDeque::from([position]) }),
        }
    }

    /// The first open call of that id in the latest turn that has one.
    fn take_latest(&mut self, id: &str) -> Option<usize> {
        let turns = self.by_id.get_mut(id)?;
        let latest = turns.last_mut()?;
        let call = latest.calls.pop_front();
        if latest.calls.is_empty() {
            turns.pop();
        }
        call
    }

    /// The first open call of that id that is fit.
    fn take_first(&mut self, id: &str, is_fit: impl Fn(usize) -> bool) -> Option<usize> {
        self.by_id.get_mut(id)?.iter_mut().find_map(|OpenTurn { calls, .. }| {
            let first = calls.iter().position(|call| is_fit(*call))?;
            calls.remove(first)
        })
    }
}
