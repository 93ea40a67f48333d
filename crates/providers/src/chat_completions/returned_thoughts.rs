//! What goes back to a model of its own earlier thoughts.

use serde::Serialize;

use super::{ChatForm, ReasoningField};
use crate::seal::{Sealed, SealedThought, ThoughtField};
use antiphon_protocol::{JsonObject, Reasoning};

/// What stands for a thought that is not known, where a server wants one on each message. Some refuse an empty one.
const NO_THOUGHT: &str = " ";

/// The thoughts on one message of the model.
#[derive(Default, Serialize)]
pub(super) struct ReturnedThoughts {
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<JsonObject>,
    /// What is part of the message's content.
    #[serde(skip)]
    pub(super) thinking: Option<String>,
}

impl ReturnedThoughts {
    /// What goes back of a thought, given what was sealed in it for this model.
    pub(super) fn of(thought: &Reasoning, sealed: Option<Sealed>, form: &ChatForm) -> Self {
        let own = match sealed {
            Some(Sealed::Thought(own)) => Some(own),
            Some(_) | None => None,
        };
        match form.reasoning_field {
            ReasoningField::AsReceived => own.map(|own| Self::as_received(thought, own)).unwrap_or_default(),
            ReasoningField::ReasoningContent => Self { reasoning_content: words(thought, own), ..Self::default() },
            ReasoningField::Reasoning => Self { reasoning: words(thought, own), ..Self::default() },
            ReasoningField::None => Self::default(),
        }
    }

    fn as_received(thought: &Reasoning, mut own: SealedThought) -> Self {
        let mut returned = Self { reasoning_details: std::mem::take(&mut own.details), ..Self::default() };
        match own.field {
            Some(ThoughtField::ReasoningContent) => returned.reasoning_content = words(thought, Some(own)),
            Some(ThoughtField::Reasoning) => returned.reasoning = words(thought, Some(own)),
            Some(ThoughtField::Thinking) => returned.thinking = words(thought, Some(own)),
            None => {}
        }
        returned
    }

    /// Adds later thoughts of the same message.
    pub(super) fn append(&mut self, later: Self) {
        add(&mut self.reasoning_content, later.reasoning_content);
        add(&mut self.reasoning, later.reasoning);
        add(&mut self.thinking, later.thinking);
        self.reasoning_details.extend(later.reasoning_details);
    }

    /// Fills in the field that a server wants on each message of the model.
    pub(super) fn complete(&mut self, form: &ChatForm) {
        let field = match form.reasoning_field {
            ReasoningField::ReasoningContent => &mut self.reasoning_content,
            ReasoningField::Reasoning => &mut self.reasoning,
            ReasoningField::AsReceived | ReasoningField::None => return,
        };
        field.get_or_insert_with(|| NO_THOUGHT.to_owned());
    }
}

fn add(field: &mut Option<String>, more: Option<String>) {
    if let Some(more) = more {
        field.get_or_insert_default().push_str(&more);
    }
}

/// The words of a thought; none if there are none, which is no thought.
fn words(thought: &Reasoning, own: Option<SealedThought>) -> Option<String> {
    let sealed = own.and_then(|own| own.text);
    let words = sealed.unwrap_or_else(|| thought.content.iter().map(|part| part.text.as_str()).collect());
    (!words.is_empty()).then_some(words)
}
