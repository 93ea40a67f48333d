//! The order of the checks.

use std::{sync::Arc, time::Duration};

use super::{Histories, Model, ModelCatalog, PromptCounter, Refusal, prompt::Material, prompt::fit};
use crate::actors::{History, HistoryError};
use crate::domain::{
    DisconnectMode, DisconnectPolicy, Idempotency, LimitOptions, Request, RunPlan, ValidRequest, View, Violation,
    check_calls, default_output_tokens, validate,
};
use crate::protocol::{CreateResponse, ResponseId, Truncation, UserId};

/// Makes plans of requests.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The models that clients can name.
    pub models: Arc<ModelCatalog>,
    /// How large requests may be.
    pub limits: LimitOptions,
    /// What happens when the last client leaves, where the request does not say.
    pub disconnect: DisconnectMode,
    /// How long a client that left is waited for.
    pub grace: Duration,
    /// Tells what was said before.
    pub histories: Arc<dyn Histories>,
    /// Counts tokens.
    pub counter: Arc<dyn PromptCounter>,
}

/// What is known of a request beside its body.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The id that ties together the client's request, this server's logs and the provider's.
    pub request_id: String,
    /// Who asks, by the name under which places at providers are counted.
    pub caller: String,
    /// What is to happen when the last client leaves, if the request says.
    pub disconnect: Option<DisconnectMode>,
    /// The digests of the idempotency key and the body, if the client gave a key.
    pub idempotency: Option<Idempotency>,
}

/// A plan, and how its client wants to be answered.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// What is to be run.
    pub plan: RunPlan,
    /// Whether the answer is a stream of events.
    pub stream: bool,
    /// How the stream is to be.
    pub view: View,
}

impl Admission {
    /// Checks a request of a user and makes a plan of it. Writes nothing and calls no provider.
    ///
    /// # Errors
    /// [`Refusal`]: of all that is wrong with the request, the first thing in the order of the checks.
    pub async fn plan(
        &self,
        user: UserId,
        create: CreateResponse,
        context: RequestContext,
    ) -> Result<Admitted, Refusal> {
        let id = ResponseId::new();
        let valid = validate(create, id, &self.limits)?;
        let model =
            self.models.get(&valid.model).ok_or_else(|| Refusal::UnknownModel { model: valid.model.clone() })?;
        let output_tokens = output_tokens(&valid, &model)?;
        let history = self.history(user, &valid).await?;
        check_calls(&history, &valid.input)?;
        let request = request(&valid, output_tokens);
        let material = Material {
            response: id,
            instructions: valid.create.instructions.clone(),
            history,
            input: valid.input.clone(),
            tools: request.callable_tools().into_iter().cloned().collect(),
            format: request.text.format.clone(),
            truncation: request.truncation,
        };
        let budget = model.context_window.saturating_sub(output_tokens);
        let (prompt, prompt_tokens) = fit(&material, &model, budget, self.counter.as_ref()).await?;
        let plan = RunPlan {
            id,
            user,
            request_id: context.request_id,
            input: material.input,
            prompt: Arc::new(prompt),
            caller: context.caller,
            targets: model.targets(prompt_tokens.saturating_add(output_tokens)),
            encoding: model.encoding,
            prompt_tokens,
            disconnect: self.policy(context.disconnect),
            resumable: valid.store && (valid.stream || valid.background || context.idempotency.is_some()),
            idempotency: context.idempotency,
            request: Arc::new(request),
        };
        Ok(Admitted { plan, stream: valid.stream, view: valid.view })
    }

    fn policy(&self, asked: Option<DisconnectMode>) -> DisconnectPolicy {
        match asked.unwrap_or(self.disconnect) {
            DisconnectMode::Continue => DisconnectPolicy::Continue,
            DisconnectMode::Cancel => DisconnectPolicy::Cancel,
            DisconnectMode::Grace => DisconnectPolicy::Grace(self.grace),
        }
    }

    async fn history(&self, user: UserId, valid: &ValidRequest) -> Result<Vec<crate::protocol::Item>, Refusal> {
        let Some(previous) = valid.previous else { return Ok(Vec::new()) };
        let most = self.limits.history_items;
        let History { items, complete } =
            self.histories.history(user, previous, most).await.map_err(|error| history_refusal(error, previous))?;
        match valid.create.truncation.unwrap_or_default() {
            Truncation::Disabled if !complete => Err(Refusal::HistoryTooLong { most }),
            Truncation::Disabled | Truncation::Auto => Ok(items),
        }
    }
}

fn history_refusal(error: HistoryError, previous: ResponseId) -> Refusal {
    match error {
        HistoryError::NotFound => Violation::previous_not_found(previous).into(),
        HistoryError::StillRunning => Refusal::PreviousRunning { id: previous },
        HistoryError::Read(refusal) => Refusal::History(refusal),
    }
}

fn output_tokens(valid: &ValidRequest, model: &Model) -> Result<u32, Violation> {
    match valid.max_output_tokens {
        None => Ok(default_output_tokens(model.context_window, model.default_output_tokens)),
        Some(asked) if asked > model.max_output_tokens || asked >= model.context_window => {
            let most = model.max_output_tokens.min(model.context_window.saturating_sub(1));
            Err(Violation::invalid("max_output_tokens", format_args!("this model allows at most {most}")))
        }
        Some(asked) => Ok(asked),
    }
}

fn request(valid: &ValidRequest, max_output_tokens: u32) -> Request {
    let create = &valid.create;
    Request {
        model: valid.model.clone(),
        instructions: create.instructions.clone(),
        previous_response_id: valid.previous,
        metadata: create.metadata.clone().unwrap_or_default(),
        temperature: create.temperature,
        top_p: create.top_p,
        max_output_tokens,
        truncation: create.truncation.unwrap_or_default(),
        store: valid.store,
        background: valid.background,
        user: create.user.clone(),
        safety_identifier: create.safety_identifier.clone(),
        prompt_cache_key: create.prompt_cache_key.clone(),
        tools: valid.tools.clone(),
        tool_choice: valid.tool_choice.clone(),
        parallel_tool_calls: create.parallel_tool_calls,
        max_tool_calls: valid.max_tool_calls,
        text: valid.text.clone(),
        reasoning: valid.reasoning.clone(),
        top_logprobs: valid.top_logprobs,
        include: valid.include.clone(),
    }
}
