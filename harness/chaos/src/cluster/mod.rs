//! The servers, the folder and the database that they share, and what is done to them.

mod binary;
mod blows;
mod far;
mod network;
mod process;
mod recovery;
mod server;
mod site;
mod target;

pub(crate) use binary::binary;
pub(crate) use recovery::Recoveries;
pub(crate) use server::Server;
pub(crate) use site::Site;
pub(crate) use target::Target;
