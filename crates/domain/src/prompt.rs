//! The prompt that a provider is sent.

use super::{Request, ToolOffer, close_calls, current_turn};
use antiphon_protocol::{Item, ResponseId};

/// Instructions, and the items of the conversation, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// Instructions of this request alone, which are not part of the history.
    pub instructions: Option<String>,
    /// History first, then the input of this request.
    pub items: Vec<Item>,
}

/// The note to the model when it can call no more tools of this server.
const TOOLS_EXHAUSTED: &str = "No more tools can be called. Answer with what is known.";

impl Prompt {
    /// The prompt of a later turn: after this one comes the output so far, and, where the model can call no more tools
    /// of this server, a note that says so.
    #[must_use]
    pub fn continued(&self, output: &[Item], tools: ToolOffer) -> Self {
        let mut items = self.items.clone();
        items.extend_from_slice(output);
        let mut instructions = self.instructions.clone();
        if tools == ToolOffer::Exhausted {
            let text = instructions.get_or_insert_default();
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(TOOLS_EXHAUSTED);
        }
        Self { instructions, items }
    }
}

/// What a prompt is made of, before it is known what of the history fits.
#[derive(Clone, Copy)]
pub struct PromptParts<'a> {
    /// The response that the prompt is for.
    pub response: ResponseId,
    /// What was asked for: instructions stand in the prompt; tools and the schema of the answer stand beside it.
    pub request: &'a Request,
    /// The history, oldest first.
    pub history: &'a [Item],
    /// The input of the request. Never shortened.
    pub input: &'a [Item],
}

// What was said is content, and content is in no log.
impl std::fmt::Debug for PromptParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PromptParts").field("response", &self.response).finish_non_exhaustive()
    }
}

impl PromptParts<'_> {
    /// The prompt with the history from item `first` on, every call answered. With an index behind the history's end it
    /// has no history.
    #[must_use]
    pub fn prompt_from(&self, first: usize) -> Prompt {
        let items = close_calls(self.response, self.history.get(first..).unwrap_or_default(), self.input);
        Prompt { instructions: self.request.instructions.clone(), items }
    }

    /// The position in the history at which the current turn begins, which is never left out.
    #[must_use]
    pub fn current_turn(&self) -> usize {
        current_turn(self.history, self.input)
    }
}
