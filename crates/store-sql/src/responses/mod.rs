//! Responses: their rows, logs and items; how they are admitted, grow, end, change their owner and are deleted.

mod admit;
mod append;
mod chain;
mod claim;
mod delete;
mod items;
mod log;
mod orphaned;
mod rows;
mod set_aside;
mod status;
mod store;
mod unended;

pub(super) use admit::insert_rows;
pub(super) use append::{NewSegment, append};
pub(super) use claim::claim;
pub(super) use delete::delete;
pub(super) use items::insert as insert_items;
pub(super) use log::present;
pub(super) use rows::{lock as lock_rows, lock_some_of_user, read as read_rows};
pub(super) use status::{StatusChange, set_statuses};
