//! A scripted provider: a Chat Completions server on a real socket that plays the scripts of a test.

mod connection;
mod deaf;
mod gate;
mod records;
mod script;
mod server;

pub use deaf::{DeafServer, refused_base_url};
pub use gate::Gate;
pub use records::RecordedRequest;
pub use script::Script;
pub use server::ScriptedProvider;
