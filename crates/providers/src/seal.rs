//! What a model needs back of its own answers: signatures, encrypted thoughts, fields that only its server knows.
//!
//! It goes back to the model that it came from and to no other: a signature is worth nothing to another model, and many
//! servers refuse fields that they do not know. It travels in two places, and both name its [`Origin`]:
//!
//! - The fields of an item stand on the item, beside the name of the origin. Fields without one are the Responses API's
//!   own, which is the form of items: its clients know them, and may drop the name.
//! - `encrypted_content` of a reasoning item, the one field that every client sends back, is sealed: its form is this
//!   server's. It holds the words of a thought too where the client asked for it, since such a client may keep nothing
//!   else.
//!
//! Clients can write there what they like. What can't be read, or came from another model, counts as nothing.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use antiphon_domain::Target;
use antiphon_protocol::{Json, JsonObject};

/// The beginning of everything that is sealed.
const PREFIX: &str = "antiphon.1.";

/// The beginnings of what version 0.1.0 sealed for the Messages protocol: a signature, and an encrypted thought.
const OLDER_SIGNATURE: &str = "anthropic.thinking.";
const OLDER_REDACTED: &str = "anthropic.redacted.";

/// The field of an item that names the origin of its other fields.
const ORIGIN_FIELD: &str = "antiphon_origin";

/// What stands between the names of several origins.
const BETWEEN_ORIGINS: &str = "/";

/// How many bytes of a hash name an origin.
const HASH_BYTES: usize = 8;

/// The protocol that a provider speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    ChatCompletions,
    Anthropic,
    Responses,
}

/// Where an answer came from: the protocol and the model there. With Responses the provider too, since OpenAI encrypts
/// thoughts for one organization. The name of it is a hash, so that no client learns what a model is called upstream.
#[derive(Clone)]
pub(crate) struct Origin {
    protocol: Protocol,
    name: String,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum Sealed {
    /// With Messages: the proof that a thought is the model's own.
    Signature {
        signature: String,
        /// The thought; none where it stands in the item alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thinking: Option<String>,
    },
    /// With Messages: a thought in a form that only the provider can read.
    Redacted { data: String },
    /// The same, with Responses.
    Encrypted { data: String },
    /// With Chat Completions: a thought and the form in which it came.
    Thought(SealedThought),
    /// With Chat Completions: the fields of a call.
    Call { call_id: String, fields: JsonObject },
}

/// A thought of a Chat Completions server.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct SealedThought {
    /// The field that it came in; none if it came in the details alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<ThoughtField>,
    /// The thought; none where it stands in the item alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// The entries of `reasoning_details`, each one whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) details: Vec<JsonObject>,
}

/// The fields in which Chat Completions servers write thoughts.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum ThoughtField {
    ReasoningContent,
    Reasoning,
    /// A part of the content, with Mistral.
    Thinking,
}

impl Origin {
    pub(crate) fn of(protocol: Protocol, target: &Target) -> Self {
        let parts = match protocol {
            Protocol::ChatCompletions => ["chat_completions", "", &target.model],
            Protocol::Anthropic => ["anthropic", "", &target.model],
            Protocol::Responses => ["responses", &target.provider, &target.model],
        };
        let hash = digest(&SHA256, parts.join("\0").as_bytes());
        let name = URL_SAFE_NO_PAD.encode(hash.as_ref().get(..HASH_BYTES).unwrap_or_default());
        Self { protocol, name }
    }

    /// Seals it; none if it can't be written as JSON.
    pub(crate) fn seal(&self, what: &Sealed) -> Option<String> {
        let json = serde_json::to_vec(&(&self.name, what)).ok()?;
        Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json)))
    }

    /// What is sealed in there; none if it came from elsewhere, or can't be read.
    pub(crate) fn open(&self, sealed: &str) -> Option<Sealed> {
        let Some(coded) = sealed.strip_prefix(PREFIX) else { return self.open_older(sealed) };
        let json = URL_SAFE_NO_PAD.decode(coded).ok()?;
        let (origin, what): (String, Sealed) = serde_json::from_slice(&json).ok()?;
        (origin == self.name).then_some(what)
    }

    /// The forms of version 0.1.0, which named no model. What a provider with Responses encrypted stood there as it came.
    fn open_older(&self, sealed: &str) -> Option<Sealed> {
        let signature = sealed.strip_prefix(OLDER_SIGNATURE).filter(|signature| !signature.is_empty());
        let redacted = sealed.strip_prefix(OLDER_REDACTED).filter(|data| !data.is_empty());
        match (self.protocol, signature, redacted) {
            (Protocol::Anthropic, Some(signature), _) => {
                Some(Sealed::Signature { signature: signature.to_owned(), thinking: None })
            }
            (Protocol::Anthropic, None, Some(data)) => Some(Sealed::Redacted { data: data.to_owned() }),
            (Protocol::Responses, None, None) if !sealed.is_empty() => {
                Some(Sealed::Encrypted { data: sealed.to_owned() })
            }
            (Protocol::Anthropic | Protocol::Responses | Protocol::ChatCompletions, ..) => None,
        }
    }

    /// Adds the name of the origin to the fields of an item, if there are any. Where another server of this kind is the
    /// provider, the name that it gave stays behind this one.
    pub(crate) fn mark(&self, fields: JsonObject) -> JsonObject {
        if fields.is_empty() {
            return fields;
        }
        let name = match fields.text(ORIGIN_FIELD) {
            Some(further) => [&self.name, further.as_str()].join(BETWEEN_ORIGINS),
            None => self.name.clone(),
        };
        let mut marked = fields.without(&[ORIGIN_FIELD]);
        marked.push(ORIGIN_FIELD, &Json::from(name.as_str()));
        marked
    }

    /// The fields of an item that go back there, as they came; none where they are another model's.
    pub(crate) fn own(&self, fields: &JsonObject) -> Option<JsonObject> {
        if !fields.contains_key(ORIGIN_FIELD) {
            return (self.protocol == Protocol::Responses).then(|| fields.clone());
        }
        let name = fields.text(ORIGIN_FIELD)?;
        let (nearest, further) = match name.split_once(BETWEEN_ORIGINS) {
            Some((nearest, further)) => (nearest, Some(further)),
            None => (name.as_str(), None),
        };
        if nearest != self.name {
            return None;
        }
        let mut own = fields.clone().without(&[ORIGIN_FIELD]);
        own.extend(further.map(|further| (ORIGIN_FIELD.to_owned(), Json::from(further))));
        Some(own)
    }
}
