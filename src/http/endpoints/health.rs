//! `GET /health/live` and `GET /health/ready`

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::http::{ApiError, HttpState};

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Whether the process serves requests at all.
pub(in crate::http) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// Whether new responses can be taken: asks the database each time.
pub(in crate::http) async fn ready(state: web::Data<HttpState>) -> Result<HttpResponse, ApiError> {
    match state.backend.ready().await {
        Ok(true) => Ok(HttpResponse::Ok().json(Health { status: "ok" })),
        Ok(false) => Err(ApiError::unavailable("server_is_overloaded", "The server is not ready.")),
        Err(error) => {
            tracing::warn!(error = %error, "http.readiness.database_unavailable");
            Err(ApiError::database_unavailable())
        }
    }
}
