//! Errors that keep a command from starting its work.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::protocol::ResponseId;
use crate::store;

/// An error that keeps a command from starting its work and that people can do something about; `report` says what.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// Another program uses the port.
    #[error("another program listens on {0} already")]
    AddressInUse(SocketAddr),
    /// The address is not one of this machine's.
    #[error("{0} is not an address of this machine")]
    AddressElsewhere(SocketAddr),
    /// The system keeps the port for others.
    #[error("this user may not listen on {0}")]
    AddressForbidden(SocketAddr),
    /// The socket can't be opened for another reason.
    #[error("the server can't listen on {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has the directory's lock.
    #[error("another process serves the data directory '{}'{}", path.display(), told(*process))]
    DataDirBusy {
        /// The directory.
        path: PathBuf,
        /// Its number, if it has written it down.
        process: Option<u32>,
    },
    /// The directory can't be made, or its files can't be read or written.
    #[error("the data directory can't be used: '{}'", path.display())]
    DataDir {
        /// The directory or the file in it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database can't be reached or opened.
    #[error("the database can't be opened: {place}")]
    Database {
        /// Where it is, without user and password.
        place: String,
        /// Why.
        #[source]
        source: store::Error,
    },
    /// The tables of the database can't be brought up to date.
    #[error("the tables of the database can't be brought up to date: {place}")]
    Tables {
        /// Where it is, without user and password.
        place: String,
        /// Why.
        #[source]
        source: store::Error,
    },
    /// The database that this data directory was used with has no tables any more.
    #[error("the database that this data directory was used with is gone or empty: {place}")]
    DatabaseGone {
        /// Where it is, without user and password.
        place: String,
        /// The file that says so.
        note: PathBuf,
    },
    /// There is no database, and the command is not one that begins one.
    #[error("there is no database at '{}'", .0.display())]
    NoDatabase(PathBuf),
    /// There is no key ring, and nothing in the database that would need one.
    #[error("there is no key ring at '{}', and no user in the database", .0.display())]
    NotBegun(PathBuf),
    /// There is no API key of the id that was given, which may have been a whole key.
    #[error("there is no API key with that id")]
    NoSuchKey,
    /// The response is not set aside, has ended, or does not exist.
    #[error("there is no response '{0}' that is set aside")]
    NotSetAside(ResponseId),
    /// The response is set aside by a server that runs and owns it: only that server may end it.
    #[error("the response '{id}' belongs to the server '{node}', which runs")]
    StillOwned {
        /// The response.
        id: ResponseId,
        /// The server's name in the database.
        node: String,
    },
    /// There is no key file, and the database has content that was sealed with its keys.
    #[error("there is no key file at '{}', and the database can't be read without it", .0.display())]
    RingLost(PathBuf),
    /// The key ring is not the one that the database was written with.
    #[error("the key ring does not belong to the database: {0}")]
    RingOfAnother(String),
}

fn told(process: Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}

impl StartupError {
    /// The error for an address that the server can't listen on.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
    pub(super) fn at(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse(address),
            io::ErrorKind::AddrNotAvailable => Self::AddressElsewhere(address),
            io::ErrorKind::PermissionDenied => Self::AddressForbidden(address),
            _ => Self::Address { address, source },
        }
    }
}
