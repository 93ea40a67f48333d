//! What a failure of the HTTP client means.

use std::error::Error as StdError;
use std::io;

use hyper_util::client::legacy;
use tokio::time::error::Elapsed;

use crate::Error;

/// A failure before the headers of an answer.
pub(super) fn of_sending(error: &legacy::Error) -> Error {
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
