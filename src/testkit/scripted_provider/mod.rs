//! A provider of the real world in small: a Chat Completions server on a real socket, that does as it is told.

mod connection;
mod deaf;
mod gate;
mod records;
mod script;
mod server;

pub use deaf::{DeafServer, refused_base_url};
pub use gate::ScriptGate;
pub use records::RecordedRequest;
pub use script::Script;
pub use server::ScriptedProvider;
