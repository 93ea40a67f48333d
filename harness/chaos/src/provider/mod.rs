//! The provider: a small server of Chat Completions that does for each prompt what the plan says, and counts.

mod call;
mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::plan::{Cut, Plan};

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    books: Arc<Books>,
    listening: JoinHandle<()>,
}

/// How often the provider was asked with one prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Asked.
    pub(crate) begun: u32,
    /// Answered to the end, with the mark of the end.
    pub(crate) finished: u32,
}

/// What the provider knows of its calls.
#[derive(Debug)]
struct Books {
    plan: Arc<Plan>,
    calls: Mutex<HashMap<u32, Calls>>,
    /// The answers that are being given, in the order in which they began.
    open: Mutex<Vec<Open>>,
}

/// An answer that is being given.
#[derive(Debug, Clone)]
struct Open {
    stage: String,
    cut: Arc<Notify>,
}

impl Provider {
    pub(crate) async fn start(plan: Arc<Plan>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let books = Arc::new(Books { plan, calls: Mutex::default(), open: Mutex::default() });
        let listening = tokio::spawn(listen(listener, Arc::clone(&books)));
        Ok(Self { address, books, listening })
    }

    /// Cuts answers that are being given; how many.
    pub(crate) fn cut(&self, Cut { stage, most }: Cut) -> usize {
        let name = format!("steady{stage}");
        let open = self.books.open.lock();
        let cut: Vec<_> = open.iter().filter(|open| open.stage == name).take(most).collect();
        cut.iter().for_each(|open| open.cut.notify_one());
        cut.len()
    }

    /// How often it was asked with the prompt of that number.
    pub(crate) fn calls(&self, number: u32) -> Calls {
        self.books.calls.lock().get(&number).copied().unwrap_or_default()
    }

    /// With how many prompts it was asked.
    pub(crate) fn prompts(&self) -> usize {
        self.books.calls.lock().len()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Books {
    /// Notes a call; how many there were before.
    fn begin(&self, number: u32) -> u32 {
        let mut calls = self.calls.lock();
        let calls = calls.entry(number).or_default();
        calls.begun += 1;
        calls.begun - 1
    }

    fn finish(&self, number: u32) {
        self.calls.lock().entry(number).or_default().finished += 1;
    }

    fn open(&self, open: Open) {
        self.open.lock().push(open);
    }

    fn close(&self, closed: &Arc<Notify>) {
        self.open.lock().retain(|open| !Arc::ptr_eq(&open.cut, closed));
    }
}

async fn listen(listener: TcpListener, books: Arc<Books>) {
    loop {
        // One that was gone before it was accepted is no reason to stop.
        let Ok((socket, _)) = listener.accept().await else { continue };
        let books = Arc::clone(&books);
        tokio::spawn(async move {
            // The other side may leave at any time, and often does.
            let _left = call::serve(socket, &books).await;
        });
    }
}
