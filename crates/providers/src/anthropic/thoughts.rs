//! Thoughts in the form in which they go back to their model.

use crate::seal::{Origin, Protocol, Sealed};
use crate::{ProviderEvent, ProviderRequest};
use antiphon_protocol::JsonObject;

/// Seals the thoughts of an answer.
#[derive(Clone)]
pub(super) struct ThoughtSealer {
    origin: Origin,
    /// Whether their words are sealed too: the client asked for it, and may keep nothing else.
    with_words: bool,
}

/// A thought that is being written, as far as it is sealed.
pub(super) struct SignedThought {
    sealer: ThoughtSealer,
    words: String,
    pub(super) signature: String,
}

impl ThoughtSealer {
    pub(super) fn of(asked: &ProviderRequest) -> Self {
        let origin = Origin::of(Protocol::Anthropic, &asked.target);
        Self { origin, with_words: asked.request.wants_encrypted_reasoning() }
    }

    /// A thought that came encrypted; none if there is nothing in it.
    pub(super) fn redacted(&self, data: String) -> Option<ProviderEvent> {
        if data.is_empty() { None } else { self.seal(&Sealed::Redacted { data }) }
    }

    /// The fields of an item, with the name of their origin.
    pub(super) fn mark(&self, fields: JsonObject) -> JsonObject {
        self.origin.mark(fields)
    }

    fn seal(&self, what: &Sealed) -> Option<ProviderEvent> {
        self.origin.seal(what).map(|encrypted_content| ProviderEvent::EncryptedReasoning { encrypted_content })
    }
}

impl SignedThought {
    /// A thought without words.
    pub(super) fn new(sealer: &ThoughtSealer, signature: String) -> Self {
        Self { sealer: sealer.clone(), words: String::new(), signature }
    }

    /// Takes words of it.
    pub(super) fn think(&mut self, words: &str) {
        if self.sealer.with_words {
            self.words.push_str(words);
        }
    }

    /// Ends it; what follows is another one. None if it has no signature.
    pub(super) fn end(&mut self) -> Option<ProviderEvent> {
        let (words, signature) = (std::mem::take(&mut self.words), std::mem::take(&mut self.signature));
        let thinking = self.sealer.with_words.then_some(words);
        if signature.is_empty() { None } else { self.sealer.seal(&Sealed::Signature { signature, thinking }) }
    }
}
