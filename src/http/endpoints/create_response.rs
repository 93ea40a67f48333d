//! `POST /v1/responses`

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Bytes},
};

use crate::actors::{ClientStream, DeliveryMode};
use crate::admission::{Admitted, RequestContext};
use crate::domain::{Idempotency, View};
use crate::http::{
    ApiError, HttpState, authentication::Authenticated, body, disconnect::disconnect_mode,
    idempotency::idempotency_key, outcome, request_id::RequestId, sse,
};
use crate::protocol::{CreateResponse, ResponseId, UserId};
use crate::refusal::Refusal;

/// How often a request claims a key that others claim and give back at the same time.
const MOST_CLAIMS: usize = 5;

/// Makes a response, and answers with its events or, once it has ended, with the object. One in the background is
/// answered as soon as it is durable. A request that repeats another, by its `Idempotency-Key`, is answered with the
/// response of that one.
pub(in crate::http) async fn create_response(
    request: HttpRequest,
    Authenticated(principal): Authenticated,
    payload: web::Payload,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let disconnect = disconnect_mode(&request)?;
    let key = idempotency_key(&request)?;
    let bytes = body::read(&request, payload, &state.options).await?;
    let idempotency = digests(principal.user, key, &bytes, &state).await?;
    let (request_id, caller) = (RequestId::of(&request).0, principal.key_id);
    let context = RequestContext { request_id, caller, disconnect, idempotency };
    for _ in 0..MOST_CLAIMS {
        if let Some(answer) = repeated(principal.user, idempotency.as_ref(), &bytes, &state).await? {
            return Ok(answer);
        }
        let create: CreateResponse = body::json(&bytes).await?;
        let admitted = state.admission.plan(principal.user, create, context.clone()).await?;
        if let Some(answer) = first(principal.user, admitted, &state).await? {
            return Ok(answer);
        }
    }
    Err(ApiError::key_in_use())
}

async fn digests(
    user: UserId,
    key: Option<String>,
    bytes: &Bytes,
    state: &HttpState,
) -> Result<Option<Idempotency>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    let backend = state.backend.clone();
    body::work_on(bytes, move |body| backend.idempotency(user, &key, body)).await.map(Some)
}

/// The answer to a request that repeats another; none if it does not.
async fn repeated(
    user: UserId,
    idempotency: Option<&Idempotency>,
    bytes: &Bytes,
    state: &HttpState,
) -> Result<Option<HttpResponse>, ApiError> {
    let Some(idempotency) = idempotency else { return Ok(None) };
    let Some(id) = state.backend.claimed(user, idempotency).await? else { return Ok(None) };
    // The body is that of the first request, which was found to be good.
    let create: CreateResponse = body::json(bytes).await?;
    let form = Form::of(&create);
    let Some(reader) = state.backend.attach(user, id, form.mode()).await? else { return Ok(None) };
    tracing::info!(response.id = %id, "http.response.attached");
    if !form.stream
        && !form.background
        && let Some(error) = outcome::failed_before(&reader, state)
    {
        return Err(error);
    }
    form.answer(reader, (user, id), state).await.map(Some)
}

/// The answer to a new request; none if another one has claimed its key.
async fn first(user: UserId, admitted: Admitted, state: &HttpState) -> Result<Option<HttpResponse>, ApiError> {
    let Admitted { plan, stream, view } = admitted;
    tracing::info!(response.id = %plan.id, model.provider = plan.targets.first().map(|target| &target.provider), "http.response.admitted");
    let (id, form) = (plan.id, Form { stream, background: plan.request.background, view });
    match state.backend.respond(plan, form.mode()).await {
        Ok(reader) => form.answer(reader, (user, id), state).await.map(Some),
        Err(Refusal::IdempotencyKeyInUse) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The form in which a client wants its answer.
struct Form {
    stream: bool,
    background: bool,
    view: View,
}

impl Form {
    fn of(create: &CreateResponse) -> Self {
        let options = create.stream_options.as_ref();
        let include_obfuscation = options.and_then(|options| options.include_obfuscation).unwrap_or(false);
        Self {
            stream: create.stream.unwrap_or(false),
            background: create.background.unwrap_or(false),
            view: View { include_obfuscation },
        }
    }

    fn mode(&self) -> DeliveryMode {
        if self.stream { DeliveryMode::Events { view: self.view, from: 0 } } else { DeliveryMode::Ending }
    }

    async fn answer(
        &self,
        mut reader: ClientStream,
        (user, id): (UserId, ResponseId),
        state: &HttpState,
    ) -> Result<HttpResponse, ApiError> {
        if self.background && !self.stream {
            // Who made it leaves at once; it minds nobody's leaving.
            drop(reader);
            let response = state.backend.retrieve(user, id).await;
            return Ok(HttpResponse::Ok().json(response.map_err(|refusal| ApiError::about(id, refusal))?));
        }
        if !self.stream {
            let response = outcome::ending(reader, user, state).await?;
            return Ok(HttpResponse::Ok().json(response.as_ref()));
        }
        if !self.background {
            outcome::status_line(&mut reader, user, state).await?;
        }
        Ok(sse::answer(reader, state, user, (self.view, 0)))
    }
}
