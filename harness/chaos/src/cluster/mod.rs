//! The servers, the folder and the database that they share, and what is done to them.

mod binary;
mod blows;
mod process;
mod recovery;
mod server;
mod site;

pub(crate) use binary::binary;
pub(crate) use recovery::Recoveries;
pub(crate) use server::Server;
pub(crate) use site::Site;
