//! Writing to standard output and standard error without ever waiting for whoever reads them.
//!
//! A pipe whose reader stands still takes no more than its buffer, and then blocks who writes to it, for as long as the
//! reader likes. So nothing of a server writes there but one thread for each output. `tracing-appender` has such a
//! thread as well, but when it can't be told to end it prints that on standard output, which may be blocked in the same
//! way, and what it drops is never told.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::line_queue::{LineQueue, QueuedText};

/// How long [`flush`](Write::flush) waits for the reader.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// How much is given to the output at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// What tells of lines that were dropped.
type GapText = Box<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

/// An output that a thread of its own writes to. Clones write to the same one.
///
/// A write never waits. What has no room in the buffer is dropped: the write fails with
/// [`WouldBlock`](io::ErrorKind::WouldBlock), and the line is counted. Each write is taken or dropped as a whole, so it
/// should be whole lines. What is still in the buffer is lost if the process ends without [`flush`](Write::flush).
#[derive(Clone)]
pub struct BackgroundWriter(Arc<OutputQueue>);

struct OutputQueue {
    state: Mutex<WriterState>,
    /// There is something to write.
    filled: Condvar,
    /// Something was written.
    written: Condvar,
    gap_text: OnceLock<GapText>,
}

struct WriterState {
    queue: LineQueue,
    is_writing: bool,
    /// The last write's error, until a flush tells it or a write succeeds.
    failure: Option<io::Error>,
}

impl WriterState {
    /// Whether there is something that can be written. A gap alone waits while the output fails.
    fn has_work(&self) -> bool {
        if self.failure.is_some() { !self.queue.has_no_line() } else { !self.queue.is_empty() }
    }
}

impl BackgroundWriter {
    /// Starts the thread that writes to `output`, with so much room for what waits. The thread ends with the process.
    ///
    /// # Errors
    /// If the thread can't be started.
    pub fn start(name: &str, output: impl Write + Send + 'static, most_bytes: usize) -> io::Result<Self> {
        let state = WriterState { queue: LineQueue::new(most_bytes), is_writing: false, failure: None };
        let shared = Arc::new(OutputQueue {
            state: Mutex::new(state),
            filled: Condvar::new(),
            written: Condvar::new(),
            gap_text: OnceLock::new(),
        });
        let writes = Arc::clone(&shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || writes.write_to(output))?;
        Ok(Self(shared))
    }

    /// Changes how much may wait. What waits already stays.
    pub(super) fn set_most_bytes(&self, most_bytes: usize) {
        self.0.state.lock().queue.set_most_bytes(most_bytes);
    }

    /// Has gaps told by what this makes of the number of lines that are missing. Only the first call has an effect;
    /// before it gaps are told by nothing.
    pub(super) fn tell_gaps(&self, text: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static) {
        self.0.gap_text.get_or_init(|| Box::new(text));
    }
}

impl Write for BackgroundWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let had_room = self.0.state.lock().queue.push(line);
        if !had_room {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "its reader stands still and the buffer is full"));
        }
        self.0.filled.notify_one();
        Ok(line.len())
    }

    /// Waits until all is written, but no longer than a second.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) if something still waits, and the error of the last write if it failed.
    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let is_busy = |state: &mut WriterState| state.is_writing || state.has_work();
        if self.0.written.wait_while_for(&mut state, is_busy, FLUSH_PATIENCE).timed_out() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        state.failure.take().map_or(Ok(()), Err)
    }
}

impl OutputQueue {
    /// The life of the thread.
    fn write_to(&self, mut output: impl Write) {
        loop {
            let entries = self.next();
            let mut lines = 0;
            let mut bytes = Vec::new();
            for entry in entries {
                match entry {
                    QueuedText::Line(line) => {
                        lines += 1;
                        bytes.extend(line);
                    }
                    QueuedText::Gap(missing) => {
                        lines += missing;
                        bytes.extend(self.gap_text.get().map(|text| text(missing)).unwrap_or_default());
                    }
                }
            }
            let written = output.write_all(&bytes).and_then(|()| output.flush());
            let mut state = self.state.lock();
            state.is_writing = false;
            state.failure = written.err();
            if state.failure.is_some() {
                state.queue.lose(lines);
            }
            self.written.notify_all();
        }
    }

    /// Waits for something to write.
    fn next(&self) -> Vec<QueuedText> {
        let mut state = self.state.lock();
        self.filled.wait_while(&mut state, |state| !state.has_work());
        state.is_writing = true;
        state.queue.take(PIECE_BYTES)
    }
}

impl std::fmt::Debug for BackgroundWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackgroundWriter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
