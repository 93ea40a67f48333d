//! What models wrote, for estimates of the tokens that no provider reported.

use std::collections::BTreeMap;

use super::Transcript;
use antiphon_protocol::Item;

/// A turn whose provider reported no usage, and what the model wrote in it.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreportedTurn {
    /// The turn's number.
    pub turn: u16,
    /// All that the model wrote.
    pub text: String,
}

// The text is content, and content is in no log.
impl std::fmt::Debug for UnreportedTurn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnreportedTurn").field("turn", &self.turn).finish_non_exhaustive()
    }
}

impl Transcript {
    /// The turns in which a model wrote something and no provider reported usage.
    #[must_use]
    pub fn unreported_turns(&self) -> Vec<UnreportedTurn> {
        let mut turns = BTreeMap::new();
        for (attempt, call) in &self.calls {
            let (_, reported) = turns.entry(attempt.turn).or_insert((call.first_item, false));
            *reported |= call.usage.is_some();
        }
        let ends = turns.values().skip(1).map(|(first, _)| *first).chain([self.output.items.len()]);
        let texts = turns.iter().zip(ends).filter(|((_, (_, reported)), _)| !reported);
        let texts = texts.map(|((turn, (first, _)), end)| UnreportedTurn {
            turn: *turn,
            text: written(self.output.items.get(*first..end).unwrap_or_default()),
        });
        texts.filter(|turn| !turn.text.is_empty()).collect()
    }
}

/// All text that a model wrote, in order: messages, reasoning and arguments alike.
fn written(items: &[Item]) -> String {
    let mut written = String::new();
    for item in items {
        match item {
            Item::Message(message) => message.content.iter().for_each(|part| written.push_str(part.text())),
            Item::Reasoning(reasoning) => {
                reasoning.content.iter().for_each(|part| written.push_str(&part.text));
                reasoning.summary.iter().for_each(|part| written.push_str(&part.text));
            }
            Item::FunctionCall(call) => {
                written.push_str(&call.name);
                written.push_str(&call.arguments);
            }
            Item::FunctionCallOutput(_) | Item::Other(_) => {}
        }
    }
    written
}
