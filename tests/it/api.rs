//! The API of the real binary, over TCP.

mod background;
mod bad_input;
mod endings;
mod limits;
mod places;
mod provider_refusals;
mod requests;
mod tools;
