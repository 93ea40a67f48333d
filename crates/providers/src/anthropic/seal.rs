//! How the sealed forms of a thought are told apart in the one field that items have for them.
//!
//! The prefix says whose seal it is, so that those of other providers are never sent to this one.

/// In front of the signature of a thought whose text is in the item.
const THINKING: &str = "anthropic.thinking.";

/// In front of a thought that the provider shows to nobody.
const REDACTED: &str = "anthropic.redacted.";

/// A thought's seal, as the provider wrote it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal<'a> {
    /// Proves that the text is the model's own.
    Signature(&'a str),
    /// The thought itself, in a form that only the provider can read.
    Redacted(&'a str),
}

impl<'a> Seal<'a> {
    /// Reads the field of an item; none where the seal is another provider's, or empty.
    pub(super) fn read(encrypted_content: &'a str) -> Option<Self> {
        let signature = encrypted_content.strip_prefix(THINKING).map(Self::Signature);
        let seal = signature.or_else(|| encrypted_content.strip_prefix(REDACTED).map(Self::Redacted))?;
        (!seal.text().is_empty()).then_some(seal)
    }

    /// The field of an item; none for a seal that is empty.
    pub(super) fn write(self) -> Option<String> {
        let prefix = match self {
            Self::Signature(_) => THINKING,
            Self::Redacted(_) => REDACTED,
        };
        let text = self.text();
        (!text.is_empty()).then(|| format!("{prefix}{text}"))
    }

    fn text(self) -> &'a str {
        match self {
            Self::Signature(text) | Self::Redacted(text) => text,
        }
    }
}
