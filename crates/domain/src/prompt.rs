//! What a provider is asked.

use antiphon_protocol::Item;

/// Instructions and the items of the conversation so far, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// Stand above the conversation and are not part of its history.
    pub instructions: Option<String>,
    /// History first, then the input of this request.
    pub items: Vec<Item>,
}
