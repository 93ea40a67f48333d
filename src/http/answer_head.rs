//! What the heads of all answers have.

use actix_web::{
    HttpResponse,
    http::{ConnectionType, Version, header},
};

/// Completes the head of an answer to a request of that version. Nobody may keep an answer unless its endpoint says
/// otherwise, since answers hold content, or take it for another kind of file than it is. A client of HTTP/1.0 knows no
/// chunks: a body without a length ends with its connection.
pub(super) fn complete<B>(answer: &mut HttpResponse<B>, version: Version) {
    let headers = answer.headers_mut();
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    if version < Version::HTTP_11 {
        let head = answer.head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
}
