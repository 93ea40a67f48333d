//! A provider whose every word a test says.

use std::sync::Arc;

use futures_util::{StreamExt, stream::LocalBoxStream};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use crate::domain::FinishReason;
use crate::protocol::Usage;
use crate::provider::{Error, Provider, ProviderEvent, ProviderRequest};

type Said = Result<Vec<ProviderEvent>, Error>;

/// A provider that says what the test says, when the test says it.
#[derive(Debug, Clone, Default)]
pub struct PuppetProvider {
    shared: Arc<Shared>,
    reattachable: bool,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    asked: Notify,
}

/// One call of the puppet. It ends when dropped, without an end mark.
#[derive(Debug)]
pub struct Call {
    /// What the provider was asked.
    pub request: ProviderRequest,
    /// The id of the call that is listened to again; none for a call of its own.
    pub reattached: Option<String>,
    say: mpsc::UnboundedSender<Line>,
    heard: watch::Receiver<usize>,
}

#[derive(Debug)]
enum Line {
    Say(Said),
    Panic,
}

impl PuppetProvider {
    /// The same provider, whose calls can be listened to again.
    #[must_use]
    pub fn reattachable(self) -> Self {
        Self { reattachable: true, ..self }
    }

    /// How often it was asked and the test has not heard of it yet.
    #[must_use]
    pub fn unheard(&self) -> usize {
        self.shared.calls.lock().len()
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
    fn call(&self, request: ProviderRequest, reattached: Option<String>) -> LocalBoxStream<'static, Said> {
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
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Said> {
        self.call(request, None)
    }

    fn can_reattach(&self) -> bool {
        self.reattachable
    }

    fn reattach(&self, request: ProviderRequest, provider_response_id: String) -> LocalBoxStream<'static, Said> {
        self.call(request, Some(provider_response_id))
    }
}

impl Call {
    /// Answers with a success.
    pub fn open(&self) {
        self.events([ProviderEvent::Opened { provider_response_id: None }]);
    }

    /// Answers with a success, and tells its id of the response.
    pub fn open_as(&self, id: &str) {
        self.events([ProviderEvent::Opened { provider_response_id: Some(id.to_owned()) }]);
    }

    /// Whether its work is to go on when nobody listens any more.
    #[must_use]
    pub fn handed_over(&self) -> bool {
        self.request.hand_over.is_arranged()
    }

    /// Writes text.
    pub fn text(&self, text: &str) {
        self.events([ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new() }]);
    }

    /// Says that it is finished.
    pub fn finish(&self) {
        self.events([ProviderEvent::Finished(FinishReason::Stop)]);
    }

    /// Reports usage.
    pub fn usage(&self, usage: Usage) {
        self.events([ProviderEvent::Usage(usage)]);
    }

    /// Says several things at once.
    pub fn events(&self, events: impl IntoIterator<Item = ProviderEvent>) {
        self.line(Line::Say(Ok(events.into_iter().collect())));
    }

    /// Fails.
    pub fn fail(&self, error: Error) {
        self.line(Line::Say(Err(error)));
    }

    /// Panics while it is read.
    pub fn panic(&self) {
        self.line(Line::Panic);
    }

    /// How many of the things said were read.
    #[must_use]
    pub fn heard(&self) -> usize {
        *self.heard.borrow()
    }

    /// Waits until so many of the things said were read.
    pub async fn wait_until_heard(&self, count: usize) {
        // A call that is over is read no further, and the test says what it expected.
        let mut heard = self.heard.clone();
        let _over = heard.wait_for(|heard| *heard >= count).await;
    }

    /// Waits until nobody listens any more: the provider's socket is closed.
    pub async fn closed(&self) {
        self.say.closed().await;
    }

    fn line(&self, line: Line) {
        // Nobody may listen any more; whether somebody should is the test's question.
        let _unheard = self.say.send(line);
    }
}
