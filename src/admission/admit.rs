//! Makes plans of requests. The order of the checks is part of the API: a client is told the first fault.

use std::sync::Arc;

use crate::actors::{Conversation, History, Node, history, plan_prompt};
use crate::domain::{
    DisconnectMode, DisconnectPolicy, Idempotency, LimitOptions, Model, ModelCatalog, Request, ResponseOptions,
    RunPlan, ToolPolicy, ValidatedRequest, View, Violation, check_calls, validate,
};
use crate::protocol::{CreateResponse, Item, ResponseId, Truncation, UserId};
use crate::refusal::Refusal;

/// Makes plans of requests, with the models, limits and history of a node.
#[derive(Debug, Clone)]
pub struct Admission {
    node: Arc<Node>,
}

/// What is known of a request beside its body.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The id that ties together the client's request, this server's logs and the provider's.
    pub request_id: String,
    /// Whom slots at providers are counted for: the API key's public id, say.
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
    /// Plans for that node.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// The models that requests can name.
    #[must_use]
    pub fn models(&self) -> &ModelCatalog {
        &self.node.models
    }

    /// How large requests may be.
    #[must_use]
    pub fn limits(&self) -> &LimitOptions {
        &self.node.limits
    }

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
        let Node { models, limits, token_counter, .. } = &*self.node;
        let id = ResponseId::new();
        let ValidatedRequest { mut request, input, stream, view } = validate(create, id, limits)?;
        let model = models.get(&request.model).ok_or_else(|| Violation::unknown_model(&request.model))?;
        request.max_output_tokens = output_tokens(request.max_output_tokens, &model)?;
        let (history, completed_from) = self.history(user, &request).await?;
        check_calls(&history, completed_from, &input)?;
        let mut plan = RunPlan {
            id,
            user,
            request_id: context.request_id,
            input: Vec::new(),
            prompt: Arc::default(),
            caller: context.caller,
            targets: Vec::new(),
            encoding: model.encoding,
            prompt_tokens: 0,
            disconnect: self.policy(context.disconnect),
            resumable: request.store && (stream || request.background || context.idempotency.is_some()),
            tools: ToolPolicy::default(),
            idempotency: context.idempotency,
            request: Arc::new(request),
        };
        let conversation = Conversation { history: &history, input: &input };
        plan_prompt(token_counter.as_ref(), &model, conversation, &mut plan).await?;
        plan.input = input;
        Ok(Admitted { plan, stream, view })
    }

    fn policy(&self, asked: Option<DisconnectMode>) -> DisconnectPolicy {
        let ResponseOptions { disconnect, grace, .. } = self.node.settings;
        match asked.unwrap_or(disconnect) {
            DisconnectMode::Continue => DisconnectPolicy::Continue,
            DisconnectMode::Cancel => DisconnectPolicy::Cancel,
            DisconnectMode::Grace => DisconnectPolicy::Grace(grace),
        }
    }

    /// The items that the request goes on from, and where among them the output of a completed response begins.
    async fn history(&self, user: UserId, request: &Request) -> Result<(Vec<Item>, usize), Refusal> {
        let Some(previous) = request.previous_response_id else { return Ok((Vec::new(), 0)) };
        let History { items, complete, completed_from } =
            history(&self.node, user, previous).await.map_err(|refusal| without_history(refusal, previous))?;
        match request.truncation {
            Truncation::Disabled if !complete => {
                Err(Violation::history_too_long(self.node.limits.history_items).into())
            }
            Truncation::Disabled | Truncation::Auto => Ok((items, completed_from)),
        }
    }
}

/// Why a request can't go on from a response. One that is not there is the request's fault.
fn without_history(refusal: Refusal, previous: ResponseId) -> Refusal {
    if refusal == Refusal::NotFound { Violation::previous_not_found(previous).into() } else { refusal }
}

/// The limit of the output: what was asked for, else the model's own default or cap, but then no more than half of its
/// window, so that there is room for a prompt.
fn output_tokens(asked: Option<u32>, model: &Model) -> Result<Option<u32>, Violation> {
    let cap = model.target.max_output_tokens_cap;
    let Some(asked) = asked else {
        return Ok(model.default_output_tokens.or(cap).map(|limit| limit.min(model.context_window / 2)));
    };
    let most = model.context_window.saturating_sub(1).min(cap.unwrap_or(u32::MAX));
    if asked > most {
        return Err(Violation::invalid("max_output_tokens", format_args!("this model allows at most {most}")));
    }
    Ok(Some(asked))
}
