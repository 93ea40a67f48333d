//! A response's events, for code.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{Stream, StreamExt};

use super::{Antiphon, Subscription};
use crate::actors::{ClientStream, Emission};
use crate::domain::Frame;
use crate::protocol::{Response, ResponseEvent, ResponseId, UserId};
use crate::refusal::Refusal;

/// The events of a response: each once, in order, none left out, each durable before it is here. It ends after the
/// terminal event. Like any handle it keeps the node alive.
///
/// An error is the last item too, and says nothing about the response: that goes on, and can be read later from
/// [`next_sequence_number`](Self::next_sequence_number) on.
#[derive(Debug)]
pub struct Events {
    subscription: Subscription,
    antiphon: Antiphon,
    user: UserId,
    over: bool,
    /// What came of an event that comes in parts.
    parts: Vec<u8>,
    /// The response of the terminal event.
    ended: Option<Box<Response>>,
}

impl Events {
    pub(super) fn new(antiphon: Antiphon, user: UserId, stream: ClientStream) -> Self {
        let subscription = antiphon.subscription(user, stream);
        Self { subscription, antiphon, user, over: false, parts: Vec::new(), ended: None }
    }

    /// The response.
    #[must_use]
    pub fn id(&self) -> ResponseId {
        self.subscription.id()
    }

    /// The number of the event that comes next.
    #[must_use]
    pub fn next_sequence_number(&self) -> u64 {
        self.subscription.next_sequence_number()
    }

    /// The next event; none after the last. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`Refusal`]: the rest can't be read now.
    pub async fn next(&mut self) -> Option<Result<ResponseEvent, Refusal>> {
        StreamExt::next(self).await
    }

    /// Reads on to the end, and gives the response as it is then: completed or not, its
    /// [`status`](Response::status) tells.
    ///
    /// # Errors
    /// [`Refusal`]: how it ended can't be read now.
    pub async fn ending(mut self) -> Result<Response, Refusal> {
        while let Some(event) = self.next().await {
            event?;
        }
        match self.ended {
            Some(response) => Ok(*response),
            // The terminal event lies before the first that was wanted.
            None => self.antiphon.retrieve(self.user, self.subscription.id()).await,
        }
    }

    fn read_rest(&mut self, bytes: &[u8]) -> Result<ResponseEvent, Refusal> {
        if self.parts.is_empty() {
            return self.read(bytes);
        }
        let mut whole = std::mem::take(&mut self.parts);
        whole.extend_from_slice(bytes);
        self.read(&whole)
    }

    fn read(&mut self, bytes: &[u8]) -> Result<ResponseEvent, Refusal> {
        let event = Frame::decode(bytes).map_err(|error| {
            tracing::error!(response.id = %self.id(), error = %error, "an event can't be read back");
            Refusal::Internal
        })?;
        if event.is_terminal() {
            self.ended = event.response().cloned().map(Box::new);
        }
        Ok(event)
    }
}

impl Stream for Events {
    type Item = Result<ResponseEvent, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let received = loop {
            match ready!(self.subscription.poll_recv(task)) {
                Some(Ok(Emission::Part { bytes })) => self.parts.extend_from_slice(&bytes),
                received => break received,
            }
        };
        let item = match received {
            None | Some(Ok(Emission::End | Emission::Part { .. })) => None,
            Some(Ok(Emission::Frame { bytes, .. })) => Some(self.read_rest(&bytes)),
            Some(Ok(Emission::Unavailable { .. })) => Some(Err(Refusal::DatabaseUnavailable)),
            Some(Err(refusal)) => Some(Err(refusal)),
        };
        self.over = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}
