//! What a failure of the HTTP client means.

use std::error::Error as _;
use std::io;

use crate::Error;

/// A failure before the headers of an answer.
pub(super) fn of_sending(error: &reqwest::Error) -> Error {
    match error {
        error if error.is_connect() && error.is_timeout() => Error::ConnectTimeout,
        error if error.is_connect() => Error::Unreachable,
        error => of_reading(error),
    }
}

/// A failure in mid-answer: nonsense where HTTP should be, or a connection that is gone.
pub(super) fn of_reading(error: &reqwest::Error) -> Error {
    let mut source = error.source();
    while let Some(cause) = source {
        let broken_head = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        let broken_body = cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
        if broken_head || broken_body {
            return Error::Protocol { what: "the answer is no HTTP" };
        }
        source = cause.source();
    }
    Error::Closed
}
