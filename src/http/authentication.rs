//! Who sends a request.

use actix_web::{
    FromRequest, HttpRequest, ResponseError as _,
    dev::Payload,
    http::{StatusCode, header},
    web,
};
use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;

use super::{ApiError, HttpState};
use crate::access::Principal;

/// The principal of a request. A handler that takes no body beside it reads nothing before it is known.
#[derive(Debug)]
pub(super) struct Authenticated(pub(super) Principal);

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<web::Data<HttpState>>().cloned();
        let bearer = bearer(request).map(ToOwned::to_owned);
        Box::pin(async move {
            let state = state.ok_or_else(ApiError::internal)?;
            let principal = principal(&state, bearer).await.inspect_err(|error| note(&state, error))?;
            tracing::debug!(key.id = principal.key_id, "authenticated");
            Ok(Self(principal))
        })
    }
}

async fn principal(state: &HttpState, bearer: Option<String>) -> Result<Principal, ApiError> {
    let message = "An API key must be sent as a bearer token in the Authorization header.";
    let bearer = bearer.ok_or_else(|| ApiError::unauthorized(message))?;
    Ok(state.authenticator.authenticate(&bearer).await?)
}

/// Has the log tell of requests without a valid key, but not of each.
fn note(state: &HttpState, error: &ApiError) {
    if error.status_code() == StatusCode::UNAUTHORIZED
        && let Some(requests) = state.refused_keys.count(Instant::now())
    {
        tracing::warn!(requests, "requests had no valid API key");
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
