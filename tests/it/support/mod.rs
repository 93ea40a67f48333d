//! The real binary as a process, and a client that talks to it over TCP.

mod capture;
mod client;
mod database;
mod disk;
mod process;
mod served;

pub(crate) use capture::PATIENCE;
pub(crate) use client::{Answer, Client, Events, is_live, row_id};
pub(crate) use database::{bytes, count, execute, open as open_database, texts, until_text};
pub(crate) use disk::Disk;
pub(crate) use process::{Running, Site};
pub(crate) use served::Served;
