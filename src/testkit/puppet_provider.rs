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
pub struct PuppetProvider(Arc<Shared>);

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
    say: mpsc::UnboundedSender<Line>,
    heard: watch::Receiver<usize>,
}

#[derive(Debug)]
enum Line {
    Say(Said),
    Panic,
}

impl PuppetProvider {
    /// How often it was asked and the test has not heard of it yet.
    #[must_use]
    pub fn unheard(&self) -> usize {
        self.0.calls.lock().len()
    }

    /// Waits for the next call.
    pub async fn asked(&self) -> Call {
        loop {
            let asked = self.0.asked.notified();
            tokio::pin!(asked);
            asked.as_mut().enable();
            let call = {
                let mut calls = self.0.calls.lock();
                (!calls.is_empty()).then(|| calls.remove(0))
            };
            if let Some(call) = call {
                return call;
            }
            asked.await;
        }
    }
}

impl Provider for PuppetProvider {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Said> {
        let (say, mut lines) = mpsc::unbounded_channel();
        let (hear, heard) = watch::channel(0);
        self.0.calls.lock().push(Call { request, say, heard });
        self.0.asked.notify_waiters();
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

impl Call {
    /// Answers with a success.
    pub fn open(&self) {
        self.events([ProviderEvent::Opened { provider_response_id: None }]);
    }

    /// Writes text.
    pub fn text(&self, text: &str) {
        self.events([ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new(), upstream_sequence: None }]);
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
