//! The facts of version 1, in which logs of 0.1.0 are written. They must stay readable for ever and are not written
//! any more: nothing here changes.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    Attempt, CallIndex, Cause, Fact, FinishReason, Limit, ProviderEvent, Request, RunPolicy, Timestamp, json_text,
};
use antiphon_protocol::{InputTokensDetails, JsonObject, LogProb, OutputTokensDetails, ResponseId, Truncation, Usage};

pub(super) const VERSION: u8 = 1;

/// A fact of version 1. The order of variants and fields is the format.
#[derive(Deserialize)]
#[expect(dead_code, reason = "some facts hold the number of a provider's event, which nothing needs")]
pub(super) enum FactV1 {
    Created {
        id: ResponseId,
        at: Timestamp,
        request: Box<PositionalRequest>,
    },
    AttemptOpening {
        attempt: Attempt,
        at: Timestamp,
        provider: String,
        model: String,
    },
    AttemptOpened {
        attempt: Attempt,
        provider_response_id: Option<String>,
    },
    TextArrived {
        attempt: Attempt,
        text: String,
        upstream_sequence: Option<u64>,
    },
    ReasoningArrived {
        attempt: Attempt,
        text: String,
        upstream_sequence: Option<u64>,
    },
    RefusalArrived {
        attempt: Attempt,
        text: String,
        upstream_sequence: Option<u64>,
    },
    CallStarted {
        attempt: Attempt,
        call: CallIndex,
        call_id: String,
        name: String,
    },
    ArgumentsArrived {
        attempt: Attempt,
        call: CallIndex,
        text: String,
        upstream_sequence: Option<u64>,
    },
    ToolStarted {
        attempt: Attempt,
        call: CallIndex,
    },
    ToolAnswered {
        attempt: Attempt,
        call: CallIndex,
        output: String,
    },
    ToolFailed {
        attempt: Attempt,
        call: CallIndex,
        message: String,
    },
    UsageReported {
        attempt: Attempt,
        usage: UsageV1,
    },
    ProviderFinished {
        attempt: Attempt,
        reason: FinishReason,
    },
    ProviderFailed {
        attempt: Attempt,
        cause: Cause,
    },
    LimitReached {
        limit: Limit,
    },
    CancelRequested {
        at: Timestamp,
    },
    ClientLost {
        at: Timestamp,
    },
    NodeLost {
        at: Timestamp,
    },
    DeadlinePassed {
        at: Timestamp,
    },
    ServerFailed {
        at: Timestamp,
        cause: Cause,
    },
    Ended {
        at: Timestamp,
    },
    Accepted {
        id: ResponseId,
        at: Timestamp,
        #[serde(with = "json_text")]
        request: Box<Request>,
    },
    ScoredTextArrived {
        attempt: Attempt,
        text: String,
        logprobs: Vec<LogProb>,
        upstream_sequence: Option<u64>,
    },
    AnnotationArrived {
        attempt: Attempt,
        #[serde(with = "json_text")]
        annotation: JsonObject,
        upstream_sequence: Option<u64>,
    },
    SummaryArrived {
        attempt: Attempt,
        part: u32,
        text: String,
        upstream_sequence: Option<u64>,
    },
    ReasoningSealed {
        attempt: Attempt,
        encrypted_content: String,
    },
    PartFinished {
        attempt: Attempt,
    },
    SpeechFinished {
        attempt: Attempt,
        #[serde(with = "json_text")]
        extra: JsonObject,
    },
    CallFinished {
        attempt: Attempt,
        call: CallIndex,
        #[serde(with = "json_text")]
        extra: JsonObject,
    },
    OtherStarted {
        attempt: Attempt,
        item: CallIndex,
        #[serde(with = "json_text")]
        fields: JsonObject,
    },
    OtherReported {
        attempt: Attempt,
        item: CallIndex,
        event: String,
        #[serde(with = "json_text")]
        fields: JsonObject,
    },
    OtherFinished {
        attempt: Attempt,
        item: CallIndex,
        #[serde(with = "json_text")]
        fields: JsonObject,
    },
    TermsSet {
        #[serde(with = "json_text")]
        terms: Box<RunPolicy>,
    },
    DeadlineSet {
        at: Timestamp,
    },
}

/// The parameters of a response as the oldest logs keep them: by position, so that no field could ever be added.
#[derive(Deserialize)]
pub(super) struct PositionalRequest {
    model: String,
    instructions: Option<String>,
    previous_response_id: Option<ResponseId>,
    metadata: BTreeMap<String, String>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    max_output_tokens: u32,
    truncation: Truncation,
    store: bool,
    background: bool,
    user: Option<String>,
    safety_identifier: Option<String>,
    prompt_cache_key: Option<String>,
}

/// A report of usage as these logs keep it: by position, so that it can't be the type of today, which may grow.
#[derive(Deserialize)]
pub(super) struct UsageV1 {
    input_tokens: u64,
    cached_tokens: u64,
    cache_write_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: u64,
    total_tokens: u64,
}

impl From<UsageV1> for Usage {
    fn from(old: UsageV1) -> Self {
        Self {
            input_tokens: old.input_tokens,
            input_tokens_details: InputTokensDetails {
                cached_tokens: old.cached_tokens,
                cache_write_tokens: old.cache_write_tokens,
            },
            output_tokens: old.output_tokens,
            output_tokens_details: OutputTokensDetails { reasoning_tokens: old.reasoning_tokens },
            total_tokens: old.total_tokens,
        }
    }
}

impl From<FactV1> for Fact {
    fn from(old: FactV1) -> Self {
        use ProviderEvent as Event;
        let said = |attempt, event| Self::Provider { attempt, event };
        match old {
            FactV1::Created { id, at, request } => Self::Accepted { id, at, request: Box::new((*request).into()) },
            FactV1::Accepted { id, at, request } => Self::Accepted { id, at, request },
            FactV1::TermsSet { terms } => Self::RunPolicySet { run_policy: terms },
            FactV1::DeadlineSet { at } => Self::DeadlineSet { at },
            FactV1::AttemptOpening { attempt, at, provider, model } => {
                Self::AttemptOpening { attempt, at, provider, model }
            }
            FactV1::AttemptOpened { attempt, provider_response_id } => {
                said(attempt, Event::Opened { provider_response_id })
            }
            FactV1::TextArrived { attempt, text, .. } => said(attempt, Event::Text { text, logprobs: Vec::new() }),
            FactV1::ScoredTextArrived { attempt, text, logprobs, .. } => said(attempt, Event::Text { text, logprobs }),
            FactV1::AnnotationArrived { attempt, annotation, .. } => said(attempt, Event::Annotation { annotation }),
            FactV1::RefusalArrived { attempt, text, .. } => said(attempt, Event::Refusal { text }),
            FactV1::ReasoningArrived { attempt, text, .. } => said(attempt, Event::Reasoning { text }),
            FactV1::SummaryArrived { attempt, part, text, .. } => said(attempt, Event::ReasoningSummary { part, text }),
            FactV1::ReasoningSealed { attempt, encrypted_content } => {
                said(attempt, Event::EncryptedReasoning { encrypted_content })
            }
            FactV1::PartFinished { attempt } => said(attempt, Event::ContentPartFinished),
            FactV1::SpeechFinished { attempt, extra } => said(attempt, Event::ItemFinished { extra }),
            FactV1::CallStarted { attempt, call, call_id, name } => {
                said(attempt, Event::FunctionCallStarted { call, call_id, name })
            }
            FactV1::ArgumentsArrived { attempt, call, text, .. } => {
                said(attempt, Event::FunctionCallArguments { call, text })
            }
            FactV1::CallFinished { attempt, call, extra } => said(attempt, Event::FunctionCallFinished { call, extra }),
            FactV1::OtherStarted { attempt, item, fields } => said(attempt, Event::OtherItemStarted { item, fields }),
            FactV1::OtherReported { attempt, item, event, fields } => {
                said(attempt, Event::OtherItemEvent { item, event, fields })
            }
            FactV1::OtherFinished { attempt, item, fields } => said(attempt, Event::OtherItemFinished { item, fields }),
            FactV1::UsageReported { attempt, usage } => said(attempt, Event::Usage(usage.into())),
            FactV1::ProviderFinished { attempt, reason } => said(attempt, Event::Finished(reason)),
            FactV1::ProviderFailed { attempt, cause } => Self::ProviderFailed { attempt, cause },
            FactV1::ToolStarted { attempt, call } => Self::ToolStarted { attempt, call },
            FactV1::ToolAnswered { attempt, call, output } => Self::ToolAnswered { attempt, call, output },
            FactV1::ToolFailed { attempt, call, message } => Self::ToolFailed { attempt, call, message },
            FactV1::LimitReached { limit } => Self::LimitReached { limit },
            FactV1::CancelRequested { at } => Self::CancelRequested { at },
            FactV1::ClientLost { at } => Self::ClientLost { at },
            FactV1::NodeLost { at } => Self::NodeLost { at },
            FactV1::DeadlinePassed { at } => Self::DeadlinePassed { at },
            FactV1::ServerFailed { at, cause } => Self::ServerFailed { at, cause },
            FactV1::Ended { at } => Self::Ended { at },
        }
    }
}

impl From<PositionalRequest> for Request {
    fn from(old: PositionalRequest) -> Self {
        Self {
            instructions: old.instructions,
            previous_response_id: old.previous_response_id,
            metadata: old.metadata.into_iter().collect(),
            temperature: old.temperature,
            top_p: old.top_p,
            truncation: old.truncation,
            store: old.store,
            background: old.background,
            user: old.user,
            safety_identifier: old.safety_identifier,
            prompt_cache_key: old.prompt_cache_key,
            ..Self::new(old.model, old.max_output_tokens)
        }
    }
}
