//! The provider: a performance, word by word.

use std::time::Duration;
use std::vec;

use futures_util::StreamExt;
use futures_util::stream::{self, LocalBoxStream};

use super::performance::{Performance, perform};
use crate::{Error, Provider, ProviderEvent, ProviderRequest};

/// The pause between words unless another is asked for: long enough to see the stream flow.
const PAUSE: Duration = Duration::from_millis(15);

/// The embedded conversation program as a provider. Any model name will do.
#[derive(Debug, Clone)]
pub struct Eliza {
    pause: Duration,
}

impl Eliza {
    /// Makes the provider with that pause between words.
    #[must_use]
    pub fn new(pause: Duration) -> Self {
        Self { pause }
    }
}

impl Default for Eliza {
    /// Makes the provider with the pace of a person who types very fast.
    fn default() -> Self {
        Self::new(PAUSE)
    }
}

enum Act {
    Entering(ProviderRequest),
    Thinking(ProviderRequest),
    Speaking(vec::IntoIter<String>, Vec<ProviderEvent>),
    Gone,
}

impl Provider for Eliza {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        let pause = self.pause;
        stream::unfold(Act::Entering(request), move |act| step(act, pause)).boxed_local()
    }
}

async fn step(act: Act, pause: Duration) -> Option<(Result<Vec<ProviderEvent>, Error>, Act)> {
    match act {
        Act::Entering(request) => {
            Some((Ok(vec![ProviderEvent::Opened { provider_response_id: None }]), Act::Thinking(request)))
        }
        Act::Thinking(request) => match think(request).await {
            Ok(Performance { words, usage, reason }) => {
                let last = vec![ProviderEvent::Finished(reason), ProviderEvent::Usage(usage)];
                Some(speak(words.into_iter(), last))
            }
            Err(error) => Some((Err(error), Act::Gone)),
        },
        Act::Speaking(words, last) => {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Some(speak(words, last))
        }
        Act::Gone => None,
    }
}

fn speak(mut words: vec::IntoIter<String>, last: Vec<ProviderEvent>) -> (Result<Vec<ProviderEvent>, Error>, Act) {
    match words.next() {
        Some(text) => (Ok(vec![ProviderEvent::Text { text, logprobs: Vec::new() }]), Act::Speaking(words, last)),
        None => (Ok(last), Act::Gone),
    }
}

/// The answer is made on another thread: counting tokens takes long, and loading the vocabulary longer.
async fn think(request: ProviderRequest) -> Result<Performance, Error> {
    let thought = tokio::task::spawn_blocking(move || perform(&request.prompt, request.max_output_tokens())).await;
    match thought {
        Ok(Ok(performance)) => Ok(performance),
        Ok(Err(_)) | Err(_) => Err(Error::Protocol { what: "eliza lost the thread" }),
    }
}
