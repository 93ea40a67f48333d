//! Who sends a request.

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use futures_util::future::LocalBoxFuture;

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
            let message = "An API key must be sent as a bearer token in the Authorization header.";
            let bearer = bearer.ok_or_else(|| ApiError::unauthorized(message))?;
            let principal = state.authenticator.authenticate(&bearer).await?;
            tracing::debug!(key.id = principal.key_id, "authenticated");
            Ok(Self(principal))
        })
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
