//! `GET /v1/responses/{response_id}`

use actix_web::{HttpRequest, HttpResponse, http::Method, web};

use crate::actors::DeliveryMode;
use crate::domain::{View, validate_include};
use crate::http::{
    ApiError, HttpState, authentication::Authenticated, in_flight::holding, json_answer::json_answer_to_reader,
    path::response_id, query::Query, sse,
};

/// A response as of now; or, as a stream, its events from any point on, and those to come. The head of a stream starts
/// none.
pub(in crate::http) async fn retrieve_response(
    request: HttpRequest,
    Authenticated(principal): Authenticated,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let id = response_id(&request)?;
    let query = Query::of(&request)?;
    validate_include(&query.list("include"))?;
    let is_stream = query.flag("stream")?;
    // Before anything is read for it.
    let reader = state.readers.enter(&principal, id, &state.options)?;
    if !is_stream || request.method() == Method::HEAD {
        let response = state.antiphon.retrieve(principal.user, id).await;
        let response = response.map_err(|refusal| ApiError::about(id, refusal))?;
        if is_stream {
            return Ok(sse::bare_answer());
        }
        let answer = json_answer_to_reader(&response, &principal, &state)?;
        return Ok(answer.map_body(|_, body| holding(body, reader)));
    }
    let view = View { include_obfuscation: query.flag("include_obfuscation")? };
    let from = query.number("starting_after")?.map_or(0, |after| after.saturating_add(1));
    let stream = state.antiphon.subscribe(principal.user, id, DeliveryMode::Events { view, from }).await;
    let stream = stream.map_err(|refusal| ApiError::about(id, refusal))?;
    Ok(sse::answer(stream, principal.user, Some(reader), &state))
}
