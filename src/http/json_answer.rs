//! Answers of JSON, and what they may hold of memory until their clients have taken them.

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody as _},
};
use serde::Serialize;
use tokio::time::Instant;

use super::{ApiError, HttpState, body_budget::LackOfRoom, in_flight::holding};
use crate::access::Principal;

/// The bytes of an answer that needs no room: what a client that takes nothing of it holds is bounded by its connection.
pub(super) const WITHOUT_ROOM: usize = 64 * 1024;

/// The answer with this object. A large one takes room, on the account of the key, until its client has taken it or is gone.
///
/// # Errors
/// If there is no room for it.
pub(super) fn json_answer(
    object: &impl Serialize,
    of: &Principal,
    state: &HttpState,
) -> Result<HttpResponse, LackOfRoom> {
    let answer = HttpResponse::Ok().json(object);
    let bytes = match answer.body().size() {
        BodySize::Sized(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        BodySize::None | BodySize::Stream => 0,
    };
    if bytes <= WITHOUT_ROOM {
        return Ok(answer);
    }
    let room = state.answers.room(&of.key_id);
    room.take(bytes).inspect_err(|_| note(state))?;
    Ok(answer.map_body(|_, body| holding(body, room)))
}

/// [`json_answer`] to who can ask for it again.
pub(super) fn json_answer_to_reader(
    object: &impl Serialize,
    of: &Principal,
    state: &HttpState,
) -> Result<HttpResponse, ApiError> {
    json_answer(object, of, state).map_err(ApiError::no_room_for_answer)
}

/// Has the log tell of a lack of room, but not of each.
fn note(state: &HttpState) {
    if let Some(requests) = state.refused_answers.count(Instant::now()) {
        let bytes = state.answer_metrics().held_bytes;
        tracing::warn!(requests, bytes, "requests were refused: there was no room for their answers");
    }
}
