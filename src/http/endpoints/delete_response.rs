//! `DELETE /v1/responses/{response_id}`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::http::{ApiError, HttpState, authentication::Authenticated, path::response_id};
use crate::protocol::ResponseId;

#[derive(Serialize)]
struct Deleted {
    id: ResponseId,
    object: &'static str,
    deleted: bool,
}

/// Deletes a response, its items and its events; cancels it first if it runs. The body is not read.
pub(in crate::http) async fn delete_response(
    request: HttpRequest,
    Authenticated(principal): Authenticated,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let id = response_id(&request)?;
    state.antiphon.delete(principal.user, id).await.map_err(|refusal| ApiError::about(id, refusal))?;
    Ok(HttpResponse::Ok().json(Deleted { id, object: "response", deleted: true }))
}
