//! `POST /v1/responses`

use actix_web::{HttpRequest, HttpResponse, web};

use crate::access::Principal;
use crate::actors::{ClientStream, DeliveryMode};
use crate::admission::RequestContext;
use crate::antiphon::AnsweredRequest;
use crate::domain::{Idempotency, View};
use crate::fault::{self, FaultPoint};
use crate::http::{
    ApiError, HttpState, authentication::Authenticated, body::RequestBody, disconnect::disconnect_mode,
    idempotency::idempotency_key, json_answer::json_answer, outcome, readers::Reader, request_id::RequestId, sse,
};
use crate::protocol::{CreateResponse, Response, UserId};

/// Makes a response, and answers with its events or, once it has ended, with the object. One in the background is
/// answered as soon as it is durable. A request that repeats another, by its `Idempotency-Key`, is answered with the
/// response of that one.
pub(in crate::http) async fn create_response(
    request: HttpRequest,
    Authenticated(principal): Authenticated,
    payload: web::Payload,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let user = principal.user;
    let disconnect = disconnect_mode(&request)?;
    let key = idempotency_key(&request)?;
    let body = RequestBody::read(&request, payload, &principal.key_id, &state).await?;
    let idempotency = digests(user, key, &body, &state).await?;
    let create = parsed(user, &body, idempotency.as_ref(), &state).await?;
    // The text is in memory no longer than it is needed; its room is kept until what was made of it is a response.
    let room = body.into_room();
    fault::reach(FaultPoint::RequestRead);
    let context = RequestContext {
        request_id: RequestId::of(&request).0,
        caller: principal.key_id.clone(),
        disconnect,
        idempotency,
    };
    let form = AnswerForm::of(&create);
    let answered = state.antiphon.answer_request(user, create, context, form.mode()).await;
    drop(room);
    match answered? {
        AnsweredRequest::Started(stream) if form == AnswerForm::AtOnce => {
            // However far it has come meanwhile.
            let response = AnswerForm::retrieve(&stream, user, &state).await?;
            made(&response.as_accepted(), &principal, &state)
        }
        AnsweredRequest::Started(stream) => form.answer(stream, &principal, None, &state).await,
        AnsweredRequest::Repeated(stream) => {
            tracing::info!(response.id = %stream.id, "http.response.attached");
            match outcome::failed_before(&stream).filter(|_| form == AnswerForm::WhenEnded) {
                Some(error) => Err(error),
                None => {
                    let reader = state.readers.enter(&principal, stream.id, &state.options)?;
                    form.answer(stream, &principal, Some(reader), &state).await
                }
            }
        }
    }
}

async fn digests(
    user: UserId,
    key: Option<String>,
    body: &RequestBody,
    state: &HttpState,
) -> Result<Option<Idempotency>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    let antiphon = state.antiphon.clone();
    body.work_on(move |body| antiphon.idempotency(user, &key, body)).await.map(Some)
}

async fn parsed(
    user: UserId,
    body: &RequestBody,
    idempotency: Option<&Idempotency>,
    state: &HttpState,
) -> Result<CreateResponse, ApiError> {
    let parsed = body.request(state).await;
    if let (Err(_), Some(idempotency)) = (&parsed, idempotency) {
        // That its key was used for another request weighs more than that this one can't be read.
        state.antiphon.claimed(user, idempotency).await?;
    }
    parsed
}

/// What a client is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerForm {
    /// The object, once the response has ended.
    WhenEnded,
    /// The object as of now, which still waits or runs.
    AtOnce,
    /// The events, as soon as it is known that there are any.
    Events(View),
    /// The events, whatever becomes of the response.
    BackgroundEvents(View),
}

impl AnswerForm {
    fn of(create: &CreateResponse) -> Self {
        match (create.background.unwrap_or(false), create.stream.unwrap_or(false)) {
            (false, false) => Self::WhenEnded,
            (true, false) => Self::AtOnce,
            (false, true) => Self::Events(View::of(create)),
            (true, true) => Self::BackgroundEvents(View::of(create)),
        }
    }

    fn mode(self) -> DeliveryMode {
        match self {
            Self::WhenEnded | Self::AtOnce => DeliveryMode::Ending,
            Self::Events(view) | Self::BackgroundEvents(view) => DeliveryMode::Events { view, from: 0 },
        }
    }

    async fn retrieve(stream: &ClientStream, user: UserId, state: &HttpState) -> Result<Response, ApiError> {
        let response = state.antiphon.retrieve(user, stream.id).await;
        response.map_err(|refusal| ApiError::about(stream.id, refusal))
    }

    async fn answer(
        self,
        mut stream: ClientStream,
        principal: &Principal,
        reader: Option<Reader>,
        state: &HttpState,
    ) -> Result<HttpResponse, ApiError> {
        let user = principal.user;
        match self {
            Self::WhenEnded => {
                let response = outcome::ending(stream, user, state).await?;
                made(&response, principal, state)
            }
            Self::AtOnce => made(&Self::retrieve(&stream, user, state).await?, principal, state),
            Self::Events(_) => {
                outcome::status_line(&mut stream, user, state).await?;
                Ok(sse::answer(stream, user, reader, state))
            }
            Self::BackgroundEvents(_) => Ok(sse::answer(stream, user, reader, state)),
        }
    }
}

/// The answer with a response that its request has made or found.
fn made(response: &Response, of: &Principal, state: &HttpState) -> Result<HttpResponse, ApiError> {
    let answer = json_answer(response, of, state);
    answer.map_err(|lack| ApiError::no_room_for_made(response.id, response.store, lack))
}
