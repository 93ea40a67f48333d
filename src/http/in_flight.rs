//! The requests that are being answered, until the last byte of their bodies was taken, and what their bodies hold.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    dev::ServiceResponse,
    web::Bytes,
};
use tokio::sync::watch;

/// Counts the requests that are being answered. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<watch::Sender<usize>>);

impl InFlight {
    /// Waits until no request is being answered.
    pub async fn none(&self) {
        // The sender is this value's own.
        let mut count = self.0.subscribe();
        let _none = count.wait_for(|count| *count == 0).await;
    }

    pub(super) fn enter(&self) -> Flight {
        self.0.send_modify(|count| *count += 1);
        Flight(self.clone())
    }
}

/// One request. Dropping it ends it.
pub(super) struct Flight(InFlight);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

/// The most bytes that a body gives at once. What it gives is copied into the buffer of its connection, which a client
/// that takes nothing keeps full.
const PIECE: usize = 16 * 1024;

/// A body in pieces that holds something until it is dropped: after its last byte, or when its client is gone.
struct Holding<T> {
    body: BoxBody,
    /// What the body gave and was not passed on yet.
    rest: Bytes,
    _held: T,
}

impl<T: Unpin> MessageBody for Holding<T> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(task)) {
                Some(Ok(bytes)) => self.rest = bytes,
                end => return Poll::Ready(end),
            }
        }
        let piece = PIECE.min(self.rest.len());
        Poll::Ready(Some(Ok(self.rest.split_to(piece))))
    }
}

/// The answer, which counts until the end of its body.
pub(super) fn counted<B>(answer: ServiceResponse<B>, flight: Flight) -> ServiceResponse<BoxBody>
where
    B: MessageBody + 'static,
{
    answer.map_body(|_, body| holding(body.boxed(), flight))
}

/// The body, which holds something until its end.
pub(super) fn holding<T: Unpin + 'static>(body: BoxBody, held: T) -> BoxBody {
    BoxBody::new(Holding { body, rest: Bytes::new(), _held: held })
}
