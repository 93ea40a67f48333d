//! Threads that read logs, so that neither the actors nor the HTTP workers do it.

use std::{
    fmt,
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::runtime::{Builder, Runtime};
use tracing::Instrument;

use super::{LogError, user_shares::UserShares};
use crate::protocol::UserId;

/// How many threads read logs, and how much of them one user gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPoolOptions {
    /// The threads.
    pub threads: usize,
    /// How many reads of one user are under way at the same time.
    pub per_user: usize,
    /// How many further reads of one user wait; one more is refused.
    pub waiting_per_user: usize,
}

/// Threads that read logs. Cheap to clone; they end with the last clone, which may be dropped anywhere.
#[derive(Clone)]
pub struct LogPool(Arc<SharedLogPool>);

struct SharedLogPool {
    runtime: Option<Runtime>,
    shares: Arc<UserShares>,
    folds: AtomicU64,
}

impl LogPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system has none.
    pub fn start(options: LogPoolOptions) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("antiphon-logs")
            .enable_all()
            .build()?;
        let shares = Arc::new(UserShares::new(options.per_user, options.waiting_per_user));
        Ok(Self(Arc::new(SharedLogPool { runtime: Some(runtime), shares, folds: AtomicU64::new(0) })))
    }

    /// How many logs were folded from their beginning.
    #[must_use]
    pub fn folds(&self) -> u64 {
        self.0.folds.load(Ordering::Relaxed)
    }

    pub(super) fn count_fold(&self) {
        self.0.folds.fetch_add(1, Ordering::Relaxed);
    }

    /// Does `work` on these threads, as one of the user's reads.
    pub(super) async fn read<T, W>(&self, user: UserId, may_refuse: bool, work: W) -> Result<T, LogError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, LogError>> + Send + 'static,
    {
        let share =
            if may_refuse { self.0.shares.enter(user).ok_or(LogError::Busy)? } else { self.0.shares.join(user) };
        let place = share.place().await;
        // Held until the work is done, also where the caller stops waiting for it.
        self.run(async move {
            let _held = (share, place);
            work.await
        })
        .await
    }

    /// Does `work` on these threads, to its end even if the caller stops waiting for it.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T, LogError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, LogError>> + Send + 'static,
    {
        let Some(runtime) = &self.0.runtime else { return Err(LogError::Stopped) };
        match runtime.spawn(work.in_current_span()).await {
            Ok(read) => read,
            Err(failed) if failed.is_panic() => Err(LogError::Panicked),
            Err(_cancelled) => Err(LogError::Stopped),
        }
    }
}

impl Drop for SharedLogPool {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for LogPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogPool").field("folds", &self.folds()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use tokio::sync::oneshot;

    use super::{LogError, LogPool, LogPoolOptions};
    use crate::protocol::UserId;

    #[tokio::test]
    async fn a_user_whose_reads_wait_is_refused_and_others_are_not() {
        let pool = LogPool::start(LogPoolOptions { threads: 1, per_user: 1, waiting_per_user: 0 }).unwrap();
        let (busy, other, first) = (UserId::new(), UserId::new(), pool.clone());
        let (end, ended) = oneshot::channel::<()>();
        let long = async move { ended.await.map_err(|_| LogError::Stopped) };
        let caller = tokio::spawn(async move { first.read(busy, false, long).await });
        let is_busy = async || matches!(pool.read(busy, true, async { Ok(()) }).await, Err(LogError::Busy));
        while !is_busy().await {
            tokio::task::yield_now().await;
        }
        pool.read(other, true, async { Ok(()) }).await.unwrap();
        pool.run(async { Ok(()) }).await.unwrap();
        caller.abort();
        caller.await.unwrap_err();
        assert!(is_busy().await, "what a caller who left has begun counts until it is done");
        end.send(()).unwrap();
        while is_busy().await {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_while_a_log_is_read_ends_that_read_alone() {
        let pool = LogPool::start(LogPoolOptions { threads: 1, per_user: 1, waiting_per_user: 0 }).unwrap();
        let user = UserId::new();
        let broken = async { std::panic::resume_unwind(Box::new("a bug")) };
        assert!(matches!(pool.read::<(), _>(user, true, broken).await, Err(LogError::Panicked)));
        pool.read(user, true, async { Ok(()) }).await.unwrap();
    }
}
