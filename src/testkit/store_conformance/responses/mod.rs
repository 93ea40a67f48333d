//! Responses.

pub(super) mod admission;
pub(super) mod appending;
pub(super) mod deletion;
pub(super) mod ending;
pub(super) mod items;
pub(super) mod reading;
pub(super) mod setting_aside;
