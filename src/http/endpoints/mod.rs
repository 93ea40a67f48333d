//! The endpoints, one a file.

mod cancel_response;
mod create_response;
mod delete_response;
mod health;
mod input_items;
mod models;
mod retrieve_response;

pub(super) use cancel_response::cancel_response;
pub(super) use create_response::create_response;
pub(super) use delete_response::delete_response;
pub(super) use health::{live, ready};
pub(super) use input_items::input_items;
pub(super) use models::{list_models, retrieve_model};
pub(super) use retrieve_response::retrieve_response;
