//! `POST /v1/responses/{response_id}/cancel`

use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::{ApiError, HttpState, authentication::Authenticated, path::response_id};
use crate::protocol::Status;
use crate::refusal::Refusal;

/// Cancels a response and answers with it once that is durable. The body, whatever its type, is not read.
pub(in crate::http) async fn cancel_response(
    request: HttpRequest,
    Authenticated(principal): Authenticated,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let id = response_id(&request)?;
    let outcome = state.backend.cancel(principal.user, id).await;
    let outcome = outcome.map_err(|refusal| ApiError::about(id, refusal))?;
    match outcome.status {
        Status::Cancelled => Ok(HttpResponse::Ok().json(outcome.response.as_ref())),
        // Another ending was first.
        status @ (Status::Queued | Status::InProgress | Status::Completed | Status::Failed | Status::Incomplete) => {
            Err(ApiError::about(id, Refusal::AlreadyEnded(status)))
        }
    }
}
