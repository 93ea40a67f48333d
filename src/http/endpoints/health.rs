//! `GET /health/live` and `GET /health/ready`

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::antiphon::Readiness;
use crate::domain::BreakerState;
use crate::http::{ApiError, HttpState, error_code::ErrorCode};
use crate::provider::UpstreamHealth;

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    /// `ok`, or `degraded` where a provider is down or responses are set aside.
    status: &'static str,
    providers: Vec<ProviderState>,
    /// How many responses no server can end for now; left out where there are none.
    #[serde(skip_serializing_if = "is_none")]
    responses_set_aside: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct ProviderState {
    name: String,
    /// `up`, `down`, or `trying` where one request finds out.
    state: &'static str,
    running: usize,
    waiting: usize,
}

impl ProviderState {
    fn new(name: String, health: UpstreamHealth) -> Self {
        let state = match health.breaker {
            BreakerState::Closed => "up",
            // The next request finds out: a server that took none could never learn that its provider is back.
            BreakerState::Open { retry_after } if retry_after.is_zero() => "trying",
            BreakerState::Open { .. } => "down",
            BreakerState::HalfOpen => "trying",
        };
        Self { name, state, running: health.gate.running, waiting: health.gate.waiting }
    }
}

/// Whether the process serves requests at all.
pub(in crate::http) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "ok" })
}

/// Whether new responses can be taken: asks the database each time. Providers are not asked; what is known of them
/// is what their last answers said. With all of them down the server is not ready.
pub(in crate::http) async fn ready(state: web::Data<HttpState>) -> Result<HttpResponse, ApiError> {
    let found = match state.antiphon.readiness().await {
        Ok(Readiness::Ready) => state.antiphon.responses_set_aside().await,
        Ok(unready) => return Err(ApiError::unavailable(ErrorCode::ServerIsOverloaded, unready.to_string())),
        Err(error) => Err(error),
    };
    match found {
        Ok(set_aside) => details(&state, set_aside),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "http.readiness.database_unavailable");
            Err(ApiError::database_unavailable())
        }
    }
}

fn details(state: &HttpState, responses_set_aside: usize) -> Result<HttpResponse, ApiError> {
    let providers = state.antiphon.providers().into_iter();
    let providers: Vec<_> = providers.map(|(name, health)| ProviderState::new(name, health)).collect();
    let down = providers.iter().filter(|provider| provider.state == "down").count();
    if down > 0 && down == providers.len() {
        return Err(ApiError::unavailable(ErrorCode::ServerIsOverloaded, "No model provider can be reached."));
    }
    let status = if down == 0 && responses_set_aside == 0 { "ok" } else { "degraded" };
    Ok(HttpResponse::Ok().json(Ready { status, providers, responses_set_aside }))
}
