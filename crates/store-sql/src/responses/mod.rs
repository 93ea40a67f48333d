//! Responses: their rows, logs and items; how they are admitted, grow, end, change their owner and are deleted.

mod admit;
mod append;
mod chain;
mod claim;
mod delete;
mod end;
mod items;
mod log;
mod orphaned;
mod rows;
mod set_aside;
mod store;
mod unended;

pub(super) use admit::admit;
pub(super) use append::append;
pub(super) use claim::claim;
pub(super) use delete::{delete, delete_of_user};
pub(super) use end::end;
