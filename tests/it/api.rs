//! The API of the real binary, over TCP.

mod background;
mod bad_input;
mod endings;
mod limits;
mod places;
mod requests;
mod tools;
