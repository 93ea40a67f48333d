//! What a failure of the HTTP client means.

use std::error::Error as _;
use std::io;

use crate::Error;

/// A failure before the headers of an answer.
pub(super) fn of_sending(error: &reqwest::Error) -> Error {
    match error {
        error if causes(error).any(is_own) => Error::OutOfResources,
        error if error.is_connect() && error.is_timeout() => Error::ConnectTimeout,
        error if error.is_connect() => Error::Unreachable,
        error => of_reading(error),
    }
}

/// A failure in mid-answer: nonsense where HTTP should be, or a connection that is gone.
pub(super) fn of_reading(error: &reqwest::Error) -> Error {
    for cause in causes(error) {
        let broken_head = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        let broken_body = cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
        if broken_head || broken_body {
            return Error::Protocol { what: "the answer is no HTTP" };
        }
    }
    Error::Closed
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn is_own(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(is_of_this_machine)
}

/// Whether a connection could not be made for want of something on this machine: descriptors, ports, memory.
fn is_of_this_machine(error: &io::Error) -> bool {
    // The numbers are the same on all Unix systems; the standard library has no kind for them.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::AddrNotAvailable)
        || matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOBUFS))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::is_of_this_machine;

    #[test]
    fn what_this_machine_lacks_is_told_from_what_the_provider_does() {
        // ENFILE, EMFILE, ENOMEM, and no port that is free.
        for own in [23, 24, 12].map(io::Error::from_raw_os_error) {
            assert!(is_of_this_machine(&own), "{own}");
        }
        assert!(is_of_this_machine(&io::ErrorKind::AddrNotAvailable.into()));
        for kind in [
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
