//! The Response object.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{ContentPart, Item, Json, ReasoningConfig, ResponseId, TextConfig, Tool, ToolChoice, Usage};

/// The status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted, not yet begun.
    Queued,
    /// Begun.
    InProgress,
    /// Ended after the provider reported that it is finished.
    Completed,
    /// Ended by an error.
    Failed,
    /// Ended before the answer was complete.
    Incomplete,
    /// Ended by a cancel.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::InProgress, Self::Completed, Self::Failed, Self::Incomplete, Self::Cancelled];

    /// Whether the status is final.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::InProgress => false,
            Self::Completed | Self::Failed | Self::Incomplete | Self::Cancelled => true,
        }
    }

    /// The status as it is written on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// A response as of now: every key, always.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The response's id, the same in every event.
    pub id: ResponseId,
    /// Always `response`.
    pub object: Cow<'static, str>,
    /// When it was accepted, in seconds of the Unix epoch.
    pub created_at: i64,
    /// The status.
    pub status: Status,
    /// When it was completed, in seconds of the Unix epoch; null for every other ending.
    pub completed_at: Option<i64>,
    /// Why it failed.
    pub error: Option<ResponseFailure>,
    /// Why it is incomplete.
    pub incomplete_details: Option<IncompleteDetails>,
    /// The model that was asked for.
    pub model: String,
    /// What came out so far.
    pub output: Vec<Item>,
    /// What providers reported; null where none did.
    pub usage: Option<Usage>,
    /// The instructions of this request; not inherited by the next.
    pub instructions: Option<String>,
    /// The previous response, which this one continues.
    pub previous_response_id: Option<ResponseId>,
    /// Whether it runs without a client.
    pub background: bool,
    /// Whether it can be read later.
    pub store: bool,
    /// The client's own notes, in its order.
    pub metadata: IndexMap<String, String>,
    /// Sampling temperature.
    pub temperature: f64,
    /// Nucleus sampling.
    pub top_p: f64,
    /// Always 0: not a parameter of this API, but clients of Open Responses want the key.
    pub presence_penalty: f64,
    /// Always 0: not a parameter of this API, but clients of Open Responses want the key.
    pub frequency_penalty: f64,
    /// How many token probabilities were asked for.
    pub top_logprobs: u8,
    /// The most tokens that may come out.
    pub max_output_tokens: Option<u32>,
    /// The most built-in tool calls.
    pub max_tool_calls: Option<u32>,
    /// The tools offered.
    pub tools: Vec<Tool>,
    /// Which tool must be called.
    pub tool_choice: ToolChoice,
    /// Whether several tools may be called at once.
    pub parallel_tool_calls: bool,
    /// The form of the text.
    pub text: TextConfig,
    /// How hard to think; null where not asked for.
    pub reasoning: Option<ReasoningConfig>,
    /// What happens to a history that is too long.
    pub truncation: Truncation,
    /// The tier that served the response, as its provider tells; `default` until then.
    pub service_tier: Cow<'static, str>,
    /// Deprecated by OpenAI in favour of `safety_identifier`; echoed.
    pub user: Option<String>,
    /// The client's id of its own user; echoed.
    pub safety_identifier: Option<String>,
    /// The client's cache key; echoed.
    pub prompt_cache_key: Option<String>,
    /// How long the provider's cache is to keep the prompt; echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache_retention: Option<String>,
    /// How the provider's cache is to be used; echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache_options: Option<Json>,
}

impl Response {
    /// The tier of responses whose provider does not tell another one.
    pub const DEFAULT_SERVICE_TIER: &str = "default";

    /// The response as it was when it was accepted, before anything came out.
    #[must_use]
    pub fn as_accepted(self) -> Self {
        Self {
            status: if self.background { Status::Queued } else { Status::InProgress },
            completed_at: None,
            error: None,
            incomplete_details: None,
            output: Vec::new(),
            usage: None,
            service_tier: Self::DEFAULT_SERVICE_TIER.into(),
            ..self
        }
    }

    /// The text of all messages, one after the other.
    #[must_use]
    pub fn output_text(&self) -> String {
        let messages =
            self.output.iter().filter_map(|item| if let Item::Message(message) = item { Some(message) } else { None });
        let texts = messages
            .flat_map(|message| &message.content)
            .filter_map(|part| if let ContentPart::OutputText(part) = part { Some(part.text.as_str()) } else { None });
        texts.collect()
    }
}

/// Why a response failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseFailure {
    /// OpenAI's code for it.
    pub code: Cow<'static, str>,
    /// The message for people.
    pub message: String,
    /// The cause, by this server's own name for it.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The request parameter at fault; null for all but bad requests.
    pub param: Option<String>,
}

/// Why a response is incomplete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncompleteDetails {
    /// `max_output_tokens`, `content_filter` or `client_disconnected`.
    pub reason: Cow<'static, str>,
}

/// What happens to a history that is too long for the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truncation {
    /// Its oldest items are left out.
    Auto,
    /// The request is refused.
    #[default]
    Disabled,
}
