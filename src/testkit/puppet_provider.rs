//! A provider that a test controls event by event.

use std::sync::Arc;

use futures_util::{StreamExt, stream::LocalBoxStream};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use crate::domain::FinishReason;
use crate::protocol::Usage;
use crate::provider::{CallToCancel, Error, Provider, ProviderEvent, ProviderRequest, Reattachment};

type ProviderBatch = Result<Vec<ProviderEvent>, Error>;

/// A provider that sends the events that the test gives it, when the test gives them.
#[derive(Debug, Clone, Default)]
pub struct PuppetProvider {
    shared: Arc<PuppetState>,
    reattachable: bool,
}

#[derive(Debug, Default)]
struct PuppetState {
    calls: Mutex<Vec<Call>>,
    asked: Notify,
    /// The ids of the calls that were cancelled.
    cancelled: watch::Sender<Vec<String>>,
}

/// One call of the puppet. It ends when dropped, without an end mark.
#[derive(Debug)]
pub struct Call {
    /// The request of the call.
    pub request: ProviderRequest,
    /// The id of the call that was reattached; none for a new call.
    pub reattached: Option<String>,
    say: mpsc::UnboundedSender<Line>,
    heard: watch::Receiver<usize>,
}

#[derive(Debug)]
enum Line {
    Say(ProviderBatch),
    Panic,
}

impl PuppetProvider {
    /// A provider of the same kind whose calls can be reattached.
    #[must_use]
    pub fn reattachable(self) -> Self {
        Self { reattachable: true, ..self }
    }

    /// How many calls the test has not received yet.
    #[must_use]
    pub fn unheard(&self) -> usize {
        self.shared.calls.lock().len()
    }

    /// The ids of the calls that it was told to end, in that order.
    #[must_use]
    pub fn cancelled(&self) -> Vec<String> {
        self.shared.cancelled.borrow().clone()
    }

    /// Waits until it was told to end the call of that id.
    pub async fn wait_until_cancelled(&self, id: &str) {
        let mut cancelled = self.shared.cancelled.subscribe();
        // It can't fail: the sender is here.
        let _cancelled = cancelled.wait_for(|ids| ids.iter().any(|cancelled| cancelled == id)).await;
    }

    /// Waits for the next call.
    pub async fn asked(&self) -> Call {
        loop {
            let asked = self.shared.asked.notified();
            tokio::pin!(asked);
            asked.as_mut().enable();
            let call = {
                let mut calls = self.shared.calls.lock();
                (!calls.is_empty()).then(|| calls.remove(0))
            };
            if let Some(call) = call {
                return call;
            }
            asked.await;
        }
    }
}

impl PuppetProvider {
    fn call(&self, request: ProviderRequest, reattached: Option<String>) -> LocalBoxStream<'static, ProviderBatch> {
        let (say, mut lines) = mpsc::unbounded_channel();
        let (hear, heard) = watch::channel(0);
        self.shared.calls.lock().push(Call { request, reattached, say, heard });
        self.shared.asked.notify_waiters();
        let spoken = futures_util::stream::poll_fn(move |task| lines.poll_recv(task));
        spoken
            .map(move |line| match line {
                Line::Say(said) => {
                    hear.send_modify(|lines| *lines += 1);
                    said
                }
                Line::Panic => std::panic::resume_unwind(Box::new("the puppet panics")),
            })
            .boxed_local()
    }
}

impl Provider for PuppetProvider {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, ProviderBatch> {
        self.call(request, None)
    }

    fn reattachment(&self) -> Option<&dyn Reattachment> {
        self.reattachable.then_some(self as &dyn Reattachment)
    }
}

impl Reattachment for PuppetProvider {
    fn reattach(
        &self,
        request: ProviderRequest,
        provider_response_id: String,
    ) -> LocalBoxStream<'static, ProviderBatch> {
        self.call(request, Some(provider_response_id))
    }

    fn cancel(&self, call: CallToCancel) {
        self.shared.cancelled.send_modify(|ids| ids.push(call.provider_response_id));
    }
}

impl Call {
    /// Answers with a success.
    pub fn open(&self) {
        self.events([ProviderEvent::Opened { provider_response_id: None }]);
    }

    /// Answers with a success and the provider's id of the response.
    pub fn open_as(&self, id: &str) {
        self.events([ProviderEvent::Opened { provider_response_id: Some(id.to_owned()) }]);
    }

    /// Sends text.
    pub fn text(&self, text: &str) {
        self.events([ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new() }]);
    }

    /// Sends that the answer is finished.
    pub fn finish(&self) {
        self.events([ProviderEvent::Finished(FinishReason::Stop)]);
    }

    /// Reports usage.
    pub fn usage(&self, usage: Usage) {
        self.events([ProviderEvent::Usage(usage)]);
    }

    /// Sends several events at once.
    pub fn events(&self, events: impl IntoIterator<Item = ProviderEvent>) {
        self.line(Line::Say(Ok(events.into_iter().collect())));
    }

    /// Fails the call.
    pub fn fail(&self, error: Error) {
        self.line(Line::Say(Err(error)));
    }

    /// Panics while the stream is read.
    pub fn panic(&self) {
        self.line(Line::Panic);
    }

    /// How many of the events were read.
    #[must_use]
    pub fn heard(&self) -> usize {
        *self.heard.borrow()
    }

    /// Waits until so many of the events were read.
    pub async fn wait_until_heard(&self, count: usize) {
        // A call that is over is not read any further; the test's own assertions then fail.
        let mut heard = self.heard.clone();
        let _over = heard.wait_for(|heard| *heard >= count).await;
    }

    /// Waits until the stream is dropped: the provider's socket is closed.
    pub async fn closed(&self) {
        self.say.closed().await;
    }

    fn line(&self, line: Line) {
        // The stream may have been dropped; whether that is right is for the test to check.
        let _unheard = self.say.send(line);
    }
}
