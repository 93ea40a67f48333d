//! `POST /v1/responses`

use actix_web::{HttpRequest, HttpResponse, web};

use crate::actors::Wish;
use crate::admission::{Admitted, Asked};
use crate::http::{
    ApiError, HttpState, authentication::Authenticated, body, disconnect::disconnect_wish, outcome,
    request_id::RequestId, sse,
};
use crate::protocol::CreateResponse;

/// Makes a response, and answers with its events or, once it has ended, with the object. One in the background is
/// answered as soon as it is durable.
pub(in crate::http) async fn create_response(
    request: HttpRequest,
    Authenticated(principal): Authenticated,
    payload: web::Payload,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let asked = Asked {
        request_id: RequestId::of(&request).0,
        caller: principal.key_id.clone(),
        disconnect: disconnect_wish(&request)?,
    };
    let create: CreateResponse = body::json(&request, payload, &state.settings).await?;
    let Admitted { plan, stream, view } = state.admission.plan(principal.user, create, asked).await?;
    tracing::info!(response.id = %plan.id, model.provider = plan.targets.first().map(|target| &target.provider), "http.response.admitted");
    let (id, background) = (plan.id, plan.request.background);
    if background && !stream {
        // Who made it leaves at once; it minds nobody's leaving.
        drop(state.backend.respond(plan, Wish::Ending).await?);
        let response = state.backend.retrieve(principal.user, id).await;
        return Ok(HttpResponse::Ok().json(response.map_err(|refusal| ApiError::reading(id, refusal))?));
    }
    if !stream {
        let reader = state.backend.respond(plan, Wish::Ending).await?;
        let response = outcome::ending(reader, principal.user, &state).await?;
        return Ok(HttpResponse::Ok().json(response.as_ref()));
    }
    let mut reader = state.backend.respond(plan, Wish::Events { view, from: 0 }).await?;
    if !background {
        outcome::status_line(&mut reader, &state).await?;
    }
    Ok(sse::answer(reader, &state, principal.user, (view, 0)))
}
