//! `POST /v1/responses/{response_id}/cancel`

use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::{
    ApiError, HttpState, authentication::Authenticated, json_answer::json_answer_to_reader, path::response_id,
};

/// Cancels a response and answers with it once that is durable. The body, whatever its type, is not read.
pub(in crate::http) async fn cancel_response(
    request: HttpRequest,
    Authenticated(principal): Authenticated,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let id = response_id(&request)?;
    let cancelled = state.antiphon.cancel(principal.user, id).await;
    let outcome = cancelled.map_err(|refusal| ApiError::about(id, refusal))?;
    json_answer_to_reader(&*outcome.response, &principal, &state)
}
