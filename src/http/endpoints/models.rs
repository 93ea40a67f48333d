//! `GET /v1/models` and `GET /v1/models/{model}`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::{Model, Violation};
use crate::http::{ApiError, HttpState, authentication::Authenticated};

#[derive(Serialize)]
struct ModelObject<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'a str,
}

impl<'a> From<&'a Model> for ModelObject<'a> {
    fn from(model: &'a Model) -> Self {
        Self { id: &model.id, object: "model", created: model.created, owned_by: &model.owned_by }
    }
}

#[derive(Serialize)]
struct ModelList<'a> {
    object: &'static str,
    data: Vec<ModelObject<'a>>,
}

/// All models that have names. A provider that takes any name has no list of them.
pub(in crate::http) async fn list_models(
    _: Authenticated,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let data = state.antiphon.admission().models().iter().map(ModelObject::from).collect();
    Ok(HttpResponse::Ok().json(ModelList { object: "list", data }))
}

/// One model, as a request would find it. Its name may hold slashes, written as they are or encoded.
pub(in crate::http) async fn retrieve_model(
    request: HttpRequest,
    _: Authenticated,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let name: String = request.match_info().load().map_err(|_| Violation::unknown_model(""))?;
    let model = state.antiphon.admission().models().get(&name).ok_or_else(|| Violation::unknown_model(&name))?;
    Ok(HttpResponse::Ok().json(ModelObject::from(&*model)))
}
