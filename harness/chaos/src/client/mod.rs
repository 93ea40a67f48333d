//! Clients: what they send, what they read, and what they note.

mod asides;
mod frames;
mod http;
mod posting;
mod reading;
mod visit;

pub(crate) use frames::{Frame, Frames, Next};
pub(crate) use http::{Answer, Door, Http, Keys, Lost, send};
pub(crate) use visit::{Story, visit};
