//! The order of the checks.

use std::{sync::Arc, time::Duration};

use super::{Histories, Model, ModelCatalog, PromptCounter, Refusal, prompt::fit};
use crate::actors::{History, HistoryError};
use crate::domain::{
    DisconnectMode, DisconnectPolicy, Idempotency, LimitOptions, PromptParts, Request, RunPlan, ToolPolicy,
    ValidatedRequest, View, Violation, check_calls, default_output_tokens, validate,
};
use crate::protocol::{CreateResponse, Item, ResponseId, Truncation, UserId};

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
        let ValidatedRequest { mut request, input, max_output_tokens, stream, view } =
            validate(create, id, &self.limits)?;
        let model =
            self.models.get(&request.model).ok_or_else(|| Refusal::UnknownModel { model: request.model.clone() })?;
        request.max_output_tokens = output_tokens(max_output_tokens, &model)?;
        let history = self.history(user, &request).await?;
        check_calls(&history, &input)?;
        let parts = PromptParts { response: id, request: &request, history: &history, input: &input };
        let (prompt, prompt_tokens) = fit(&parts, &model, self.counter.as_ref()).await?;
        let plan = RunPlan {
            id,
            user,
            request_id: context.request_id,
            input,
            prompt: Arc::new(prompt),
            caller: context.caller,
            targets: model.targets(prompt_tokens.saturating_add(request.max_output_tokens)),
            encoding: model.encoding,
            prompt_tokens,
            disconnect: self.policy(context.disconnect),
            resumable: request.store && (stream || request.background || context.idempotency.is_some()),
            tools: ToolPolicy::default(),
            idempotency: context.idempotency,
            request: Arc::new(request),
        };
        Ok(Admitted { plan, stream, view })
    }

    fn policy(&self, asked: Option<DisconnectMode>) -> DisconnectPolicy {
        match asked.unwrap_or(self.disconnect) {
            DisconnectMode::Continue => DisconnectPolicy::Continue,
            DisconnectMode::Cancel => DisconnectPolicy::Cancel,
            DisconnectMode::Grace => DisconnectPolicy::Grace(self.grace),
        }
    }

    async fn history(&self, user: UserId, request: &Request) -> Result<Vec<Item>, Refusal> {
        let Some(previous) = request.previous_response_id else { return Ok(Vec::new()) };
        let most = self.limits.history_items;
        let History { items, complete } =
            self.histories.history(user, previous, most).await.map_err(|error| history_refusal(error, previous))?;
        match request.truncation {
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

fn output_tokens(asked: Option<u32>, model: &Model) -> Result<u32, Violation> {
    match asked {
        None => Ok(default_output_tokens(model.context_window, model.default_output_tokens)),
        Some(asked) if asked > model.max_output_tokens || asked >= model.context_window => {
            let most = model.max_output_tokens.min(model.context_window.saturating_sub(1));
            Err(Violation::invalid("max_output_tokens", format_args!("this model allows at most {most}")))
        }
        Some(asked) => Ok(asked),
    }
}
