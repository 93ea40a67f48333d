//! Waiting until a status line can be true.

use std::sync::Arc;

use super::{ApiError, HttpState, error::RetryAdvice};
use crate::actors::{ClientStream, DeliveryMode, ResponseOutcome, ResponsePhase};
use crate::protocol::{Response, Status, UserId};
use crate::refusal::Refusal;

/// How often a stream that was lost is replaced before the request is given up.
const MOST_STREAMS: u32 = 5;

/// Waits until the status line of a stream is known: the first of the provider's answer, the response's
/// ending, and the longest wait.
///
/// # Errors
/// If the response failed and nothing came out: then this is the answer, and there is no stream. Unless another client
/// has begun to stream the response before.
pub(super) async fn status_line(stream: &mut ClientStream, user: UserId, state: &HttpState) -> Result<(), ApiError> {
    let mut phases = stream.phase.clone();
    let decided = phases.wait_for(|phase| !matches!(phase, ResponsePhase::Opening));
    // Where what served the stream is gone, or time is up, the stream will tell.
    if let Ok(Ok(phase)) = tokio::time::timeout(state.options.header_wait, decided).await {
        match &*phase {
            ResponsePhase::Ended(outcome) if is_bare_failure(outcome) && !stream.has_begun_success() => {
                return Err(ApiError::failed(outcome));
            }
            ResponsePhase::Unavailable => return Err(ApiError::database_unavailable()),
            ResponsePhase::Opening | ResponsePhase::Opened | ResponsePhase::Ended(_) => {}
        }
    }
    if stream.begin_success() { Ok(()) } else { silent_failure(stream, user, state).await }
}

/// Waits for the ending of a response that is about to fail without a word.
async fn silent_failure(stream: &mut ClientStream, user: UserId, state: &HttpState) -> Result<(), ApiError> {
    match ended(stream).await? {
        Some(outcome) if is_bare_failure(&outcome) => Err(ApiError::failed(&outcome)),
        // Somebody else has ended it, in another way.
        Some(_) => Ok(()),
        None => {
            let resumed = state.antiphon.resume(user, stream.id, DeliveryMode::Ending).await?;
            ending(resumed, user, state).await.map(drop)
        }
    }
}

/// The failure of a response that had ended before its client came, if that is all that can be told. To ask again is of
/// no use.
pub(super) fn failed_before(stream: &ClientStream) -> Option<ApiError> {
    match &*stream.phase.borrow() {
        ResponsePhase::Ended(outcome) if is_bare_failure(outcome) => {
            Some(ApiError::failed(outcome).retry(RetryAdvice::Never))
        }
        ResponsePhase::Opening | ResponsePhase::Opened | ResponsePhase::Ended(_) | ResponsePhase::Unavailable => None,
    }
}

/// Waits until the response has ended.
///
/// # Errors
/// If it failed and nothing came out, or if its ending can't be known now.
pub(super) async fn ending(
    mut stream: ClientStream,
    user: UserId,
    state: &HttpState,
) -> Result<Arc<Response>, ApiError> {
    for _ in 0..MOST_STREAMS {
        if let Some(outcome) = ended(&mut stream).await? {
            if is_bare_failure(&outcome) {
                return Err(ApiError::failed(&outcome));
            }
            return Ok(Arc::clone(&outcome.response));
        }
        let resumed = state.antiphon.resume(user, stream.id, DeliveryMode::Ending).await;
        stream = resumed.map_err(|refusal| {
            tracing::error!(response.id = %stream.id, error = %refusal, "a client lost its stream and could not have another");
            if refusal == Refusal::NotFound { ApiError::internal() } else { refusal.into() }
        })?;
    }
    tracing::error!(response.id = %stream.id, "the streams of a client keep failing");
    Err(ApiError::internal())
}

/// The response's outcome; none if what served the stream is gone.
async fn ended(stream: &mut ClientStream) -> Result<Option<Arc<ResponseOutcome>>, ApiError> {
    let decided =
        stream.phase.wait_for(|phase| matches!(phase, ResponsePhase::Ended(_) | ResponsePhase::Unavailable)).await;
    match decided.as_deref() {
        Ok(ResponsePhase::Ended(outcome)) => Ok(Some(Arc::clone(outcome))),
        Ok(ResponsePhase::Unavailable) => Err(ApiError::database_unavailable()),
        Ok(ResponsePhase::Opening | ResponsePhase::Opened) | Err(_) => Ok(None),
    }
}

fn is_bare_failure(outcome: &ResponseOutcome) -> bool {
    outcome.status == Status::Failed && !outcome.has_output()
}
