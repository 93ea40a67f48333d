//! What a client asked for, validated and with every default filled in.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use antiphon_protocol::{
    Json, NarrowChoice, ReasoningConfig, Response, ResponseId, Status, TextConfig, Tool, ToolChoice, ToolMode,
    Truncation,
};

/// The parameters of a response, as its first fact keeps them. The input is kept apart, as items.
///
/// Kept as JSON: later versions may add fields, each with a default that means what its absence meant.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The model, by the name that the client gave.
    pub model: String,
    /// Instructions of this request alone.
    pub instructions: Option<String>,
    /// The previous response, which this one continues.
    pub previous_response_id: Option<ResponseId>,
    /// The client's own notes, in its order.
    pub metadata: IndexMap<String, String>,
    /// Sampling temperature; none leaves it to the provider.
    pub temperature: Option<f64>,
    /// Nucleus sampling; none leaves it to the provider.
    pub top_p: Option<f64>,
    /// The most tokens that may come out; none leaves it to the provider.
    pub max_output_tokens: Option<u32>,
    /// What happens to a history that is too long.
    pub truncation: Truncation,
    /// Whether the response can be read later.
    pub store: bool,
    /// Whether it runs without a client.
    pub background: bool,
    /// Echoed.
    pub user: Option<String>,
    /// Echoed.
    pub safety_identifier: Option<String>,
    /// Echoed, and passed on where the provider takes one.
    pub prompt_cache_key: Option<String>,
    /// Echoed, and passed on where the provider's protocol has it.
    #[serde(default)]
    pub prompt_cache_retention: Option<String>,
    /// Echoed, and passed on where the provider's protocol has it.
    #[serde(default)]
    pub prompt_cache_options: Option<Json>,
    /// Passed on where the provider's protocol has it; the response has the tier that the provider tells.
    #[serde(default)]
    pub service_tier: Option<String>,
    /// The tools that the model may call.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// Which of them it must call.
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// Whether several may be called at once; none leaves it to the provider.
    #[serde(default)]
    pub parallel_tool_calls: Option<bool>,
    /// The most calls of tools that this server runs.
    #[serde(default)]
    pub max_tool_calls: Option<u32>,
    /// The form of the text.
    #[serde(default)]
    pub text: TextConfig,
    /// How hard to think; none leaves it to the provider.
    #[serde(default)]
    pub reasoning: Option<ReasoningConfig>,
    /// How many alternatives to report with each token of the text.
    #[serde(default)]
    pub top_logprobs: u8,
    /// What else the answer is to hold, by the API's own words.
    #[serde(default)]
    pub include: Vec<String>,
    /// How many items the input has, by which a log says that some are missing; none in logs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_items: Option<u32>,
}

impl Request {
    /// Asks for the probabilities of the text's tokens.
    pub const INCLUDE_LOGPROBS: &'static str = "message.output_text.logprobs";
    /// Asks for reasoning in a form that only the provider can read.
    pub const INCLUDE_ENCRYPTED_REASONING: &'static str = "reasoning.encrypted_content";

    /// A stored foreground request with that limit of its output, in which everything else is at its default.
    #[must_use]
    pub fn new(model: impl Into<String>, max_output_tokens: u32) -> Self {
        Self {
            model: model.into(),
            instructions: None,
            previous_response_id: None,
            metadata: IndexMap::new(),
            temperature: None,
            top_p: None,
            max_output_tokens: Some(max_output_tokens),
            truncation: Truncation::default(),
            store: true,
            background: false,
            user: None,
            safety_identifier: None,
            prompt_cache_key: None,
            prompt_cache_retention: None,
            prompt_cache_options: None,
            service_tier: None,
            tools: Vec::new(),
            tool_choice: ToolChoice::default(),
            parallel_tool_calls: None,
            max_tool_calls: None,
            text: TextConfig::default(),
            reasoning: None,
            top_logprobs: 0,
            include: Vec::new(),
            input_items: None,
        }
    }

    /// The Response object of a request without any output yet. Every parameter is echoed; those that are left to the
    /// provider have the API's defaults.
    #[must_use]
    pub fn new_response(&self, id: ResponseId, created_at: i64) -> Response {
        Response {
            id,
            object: "response".into(),
            created_at,
            status: if self.background { Status::Queued } else { Status::InProgress },
            completed_at: None,
            error: None,
            incomplete_details: None,
            model: self.model.clone(),
            output: Vec::new(),
            usage: None,
            instructions: self.instructions.clone(),
            previous_response_id: self.previous_response_id,
            background: self.background,
            store: self.store,
            metadata: self.metadata.clone(),
            temperature: self.temperature.unwrap_or(1.0),
            top_p: self.top_p.unwrap_or(1.0),
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            top_logprobs: self.top_logprobs,
            max_output_tokens: self.max_output_tokens,
            max_tool_calls: self.max_tool_calls,
            tools: self.tools.clone(),
            tool_choice: self.tool_choice.clone(),
            parallel_tool_calls: self.parallel_tool_calls.unwrap_or(true),
            text: self.text.clone(),
            reasoning: self.reasoning.clone(),
            truncation: self.truncation,
            service_tier: Response::DEFAULT_SERVICE_TIER.into(),
            user: self.user.clone(),
            safety_identifier: self.safety_identifier.clone(),
            prompt_cache_key: self.prompt_cache_key.clone(),
            prompt_cache_retention: self.prompt_cache_retention.clone(),
            prompt_cache_options: self.prompt_cache_options.clone(),
        }
    }

    /// Whether `include` has that value.
    #[must_use]
    pub fn includes(&self, what: &str) -> bool {
        self.include.iter().any(|included| included == what)
    }

    /// How many alternatives to report with each token of the text; none if no probabilities are asked for.
    #[must_use]
    pub fn wanted_logprobs(&self) -> Option<u8> {
        self.includes(Self::INCLUDE_LOGPROBS).then_some(self.top_logprobs)
    }

    /// Whether reasoning in a form that only the provider can read is asked for.
    #[must_use]
    pub fn wants_encrypted_reasoning(&self) -> bool {
        self.includes(Self::INCLUDE_ENCRYPTED_REASONING)
    }

    /// The tools that the model may call: those offered, without what the choice leaves out.
    #[must_use]
    pub fn callable_tools(&self) -> Vec<&Tool> {
        match &self.tool_choice {
            ToolChoice::Mode(ToolMode::None) => Vec::new(),
            ToolChoice::Mode(ToolMode::Auto | ToolMode::Required)
            | ToolChoice::Narrow(NarrowChoice::Function { .. }) => self.tools.iter().collect(),
            ToolChoice::Narrow(choice @ NarrowChoice::AllowedTools { .. }) => {
                self.tools.iter().filter(|tool| choice.names(tool.name())).collect()
            }
        }
    }

    /// Whether the model may call a function of that name. A call of any other function is refused, even if the
    /// provider lets it through.
    #[must_use]
    pub fn may_call(&self, name: &str) -> bool {
        let offered = || self.tools.iter().any(|tool| tool.name() == name);
        match &self.tool_choice {
            ToolChoice::Mode(ToolMode::None) => false,
            ToolChoice::Mode(ToolMode::Auto | ToolMode::Required) => offered(),
            ToolChoice::Narrow(choice) => choice.names(name) && offered(),
        }
    }
}

// Instructions and metadata are content, and content is in no log.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("model", &self.model).field("store", &self.store).finish_non_exhaustive()
    }
}
