//! The runtime that the database's sockets and timers belong to.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};
use tracing::Instrument;

use antiphon_store::Error;

const THREADS: usize = 2;

/// A runtime that may be dropped anywhere, in async code too: it ends in the background.
#[derive(Debug)]
pub(super) struct IoRuntime(Option<Runtime>);

impl IoRuntime {
    pub(super) fn start() -> Result<Self, Error> {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("antiphon-store")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| Error::Failed(Box::new(error)))
    }

    /// Runs `work` to its end, even if the caller stops waiting for it.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let Some(runtime) = &self.0 else {
            return Err(Error::Unavailable("the store is shut down".into()));
        };
        match runtime.spawn(work.in_current_span()).await {
            Ok(answer) => answer,
            Err(panic) if panic.is_panic() => Err(Error::Failed(Box::new(panic))),
            Err(cancelled) => Err(Error::Unavailable(Box::new(cancelled))),
        }
    }
}

impl Drop for IoRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
