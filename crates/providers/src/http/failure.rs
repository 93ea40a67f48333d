//! What a failure of the HTTP client means.

use std::error::Error as StdError;
use std::io;

use hyper_util::client::legacy;
use tokio::time::error::Elapsed;

use crate::Error;

/// A failure before the headers of an answer.
pub(super) fn of_sending(error: &legacy::Error) -> Error {
    if causes(error).any(is_own) {
        return Error::OutOfResources;
    }
    if !error.is_connect() {
        return of_reading(error);
    }
    match causes(error).any(|cause| cause.is::<Elapsed>()) {
        true => Error::ConnectTimeout,
        false => Error::Unreachable,
    }
}

/// A failure in mid-answer: nonsense where HTTP should be, or a connection that is gone.
pub(super) fn of_reading(error: &(dyn StdError + 'static)) -> Error {
    let is_broken = |cause: &(dyn StdError + 'static)| {
        let broken_head = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        let broken_body = cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
        broken_head || broken_body
    };
    match causes(error).any(is_broken) {
        true => Error::Protocol { what: "the answer is no HTTP" },
        false => Error::Closed,
    }
}

/// The error and what caused it.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn is_own(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(is_of_this_machine)
}

/// Whether a connection could not be made for want of something on this machine: descriptors or memory.
///
/// That an address is not available says nothing of it: where there is no IPv6, the second address of a provider that is
/// down fails so, and its error is the one that is told.
fn is_of_this_machine(error: &io::Error) -> bool {
    // The numbers are the same on all Unix systems; the standard library has no kind for them.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    error.kind() == io::ErrorKind::OutOfMemory || matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOBUFS))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::is_of_this_machine;

    #[test]
    fn what_this_machine_lacks_is_told_from_what_the_provider_does() {
        // ENFILE, EMFILE, ENOMEM.
        for own in [23, 24, 12].map(io::Error::from_raw_os_error) {
            assert!(is_of_this_machine(&own), "{own}");
        }
        for kind in [
            io::ErrorKind::AddrNotAvailable,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::HostUnreachable,
            io::ErrorKind::NetworkUnreachable,
            io::ErrorKind::TimedOut,
            io::ErrorKind::PermissionDenied,
        ] {
            assert!(!is_of_this_machine(&kind.into()), "{kind}");
        }
    }
}
