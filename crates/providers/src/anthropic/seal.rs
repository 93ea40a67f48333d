//! The prefixes that distinguish the sealed forms of reasoning in the one field that items have for them.
//!
//! The prefix names the provider, so that sealed reasoning of other providers is never sent to this one.

/// The prefix of the signature of reasoning whose text is in the item.
const THINKING: &str = "anthropic.thinking.";

/// The prefix of reasoning that the provider sends in encrypted form only.
const REDACTED: &str = "anthropic.redacted.";

/// The sealed form of reasoning, as the provider wrote it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal<'a> {
    /// The signature that proves that the text is the model's own.
    Signature(&'a str),
    /// The reasoning itself, in a form that only the provider can read.
    Redacted(&'a str),
}

impl<'a> Seal<'a> {
    /// Reads the field of an item; none if the sealed form is another provider's, or empty.
    pub(super) fn read(encrypted_content: &'a str) -> Option<Self> {
        let signature = encrypted_content.strip_prefix(THINKING).map(Self::Signature);
        let seal = signature.or_else(|| encrypted_content.strip_prefix(REDACTED).map(Self::Redacted))?;
        (!seal.text().is_empty()).then_some(seal)
    }

    /// The field of an item; none for an empty sealed form.
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
