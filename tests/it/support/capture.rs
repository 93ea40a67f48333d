use std::{
    io::{BufRead, BufReader, Read},
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio::sync::watch;

/// How long a fact may take to appear before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a process wrote to one of its outputs so far.
#[derive(Clone)]
pub(super) struct Capture(watch::Receiver<String>);

impl Capture {
    /// Reads on a thread of its own, until the process closes the output.
    pub(super) fn of(output: impl Read + Send + 'static) -> Self {
        Self::later(output).0
    }

    /// Reads nothing before the second is dropped.
    pub(super) fn later(output: impl Read + Send + 'static) -> (Self, mpsc::Sender<()>) {
        let (sender, receiver) = watch::channel(String::new());
        let (hold, held) = mpsc::channel();
        thread::spawn(move || {
            let _released = held.recv();
            let mut lines = BufReader::new(output);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                sender.send_modify(|text| text.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
        });
        (Self(receiver), hold)
    }

    pub(super) fn text(&self) -> String {
        self.0.borrow().clone()
    }

    /// Waits until `find` finds something in all that was written; none if the output ended without it.
    pub(super) async fn find<T>(&self, mut find: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let mut changes = self.0.clone();
        let mut found = None;
        let seen = changes.wait_for(|text| {
            found = find(text);
            found.is_some()
        });
        let _ended = tokio::time::timeout(PATIENCE, seen).await.expect("a line that did not come");
        found
    }

    /// All of it, once the process has closed it.
    pub(super) async fn whole(&self) -> String {
        let mut changes = self.0.clone();
        let _ended = tokio::time::timeout(PATIENCE, changes.wait_for(|_| false)).await.expect("an output stays open");
        self.text()
    }
}
