//! `GET /v1/responses/{response_id}/input_items`

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::antiphon::{InputItemsPage, InputItemsQuery};
use crate::domain::validate_include;
use crate::http::{
    ApiError, HttpState, authentication::Authenticated, json_answer::json_answer_to_reader, path::response_id,
    query::Query,
};
use crate::protocol::{Item, ItemId};
use crate::store::SortOrder;

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

#[derive(Serialize)]
struct ItemList {
    object: &'static str,
    first_id: Option<ItemId>,
    last_id: Option<ItemId>,
    has_more: bool,
    data: Vec<Item>,
}

/// A page of the items that were a response's input, newest first unless asked otherwise.
pub(in crate::http) async fn input_items(
    request: HttpRequest,
    Authenticated(principal): Authenticated,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    let id = response_id(&request)?;
    let query = Query::of(&request)?;
    validate_include(&query.list("include"))?;
    let after = query.get("after").map(|after| ItemId::from(after.to_owned()));
    let query = InputItemsQuery { order: order(&query)?, after, limit: limit(&query)? };
    let page = state.antiphon.input_items(principal.user, id, query).await;
    let InputItemsPage { items, has_more } = page.map_err(|refusal| ApiError::about(id, refusal))?;
    let (first_id, last_id) = (items.first().map(|item| item.id().clone()), items.last().map(|item| item.id().clone()));
    let list = ItemList { object: "list", first_id, last_id, has_more, data: items };
    json_answer_to_reader(&list, &principal, &state)
}

fn order(query: &Query) -> Result<SortOrder, ApiError> {
    match query.get("order") {
        None | Some("desc") => Ok(SortOrder::Descending),
        Some("asc") => Ok(SortOrder::Ascending),
        Some(_) => Err(ApiError::parameter("order", "Invalid value for 'order': expected 'asc' or 'desc'.")),
    }
}

fn limit(query: &Query) -> Result<u32, ApiError> {
    match query.get("limit").map(str::parse) {
        None => Ok(DEFAULT_LIMIT),
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(Ok(_) | Err(_)) => {
            let message = format!("Invalid value for 'limit': expected a whole number from 1 to {MAX_LIMIT}.");
            Err(ApiError::parameter("limit", message))
        }
    }
}
