//! The requests that are being answered, until the last byte of their bodies was taken.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
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

/// A body that counts as being answered until it is dropped: after its last byte, or when its client is gone.
struct Counted {
    body: BoxBody,
    _flight: Flight,
}

impl MessageBody for Counted {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(task)
    }
}

/// The answer, which counts until the end of its body.
pub(super) fn counted<B>(answer: ServiceResponse<B>, flight: Flight) -> ServiceResponse<BoxBody>
where
    B: MessageBody + 'static,
{
    answer.map_body(|_, body| BoxBody::new(Counted { body: body.boxed(), _flight: flight }))
}
