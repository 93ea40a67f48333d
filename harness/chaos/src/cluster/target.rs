//! What happens to the process of a server besides its blows.

use std::fs::File;
use std::io::{Read, Write as _};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::sleep;

use super::process::signal;
use crate::client::Door;

/// The process that serves now, and the reader of its log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    pub(super) door: Door,
    pub(super) process: Arc<Mutex<Option<u32>>>,
    pub(super) log: Arc<LogReader>,
}

impl Target {
    /// Blocks the thread of an arbiter for a while. Whether there was a server that could be blocked.
    pub(crate) async fn block_arbiter(&self, lasts: Duration) -> anyhow::Result<bool> {
        // One that does not listen yet is ended by the signal.
        let process = *self.process.lock();
        let Some(process) = process.filter(|_| self.door.read().is_some()) else { return Ok(false) };
        if !signal(process, "USR1")? {
            return Ok(false);
        }
        sleep(lasts).await;
        if *self.process.lock() == Some(process) {
            signal(process, "USR2")?;
        }
        Ok(true)
    }

    /// Has nobody read the log for a while.
    pub(crate) async fn stall_log(&self, lasts: Duration) {
        self.log.set_stalled(true);
        sleep(lasts).await;
        self.log.set_stalled(false);
    }
}

/// Who reads a server's log, or stands still.
#[derive(Debug, Default)]
pub(crate) struct LogReader {
    stalled: Mutex<bool>,
    changed: Condvar,
}

impl LogReader {
    fn set_stalled(&self, stalled: bool) {
        *self.stalled.lock() = stalled;
        self.changed.notify_all();
    }

    /// Copies what a process logs, to its end.
    pub(super) fn copy(&self, mut log: impl Read, mut file: File) {
        let mut piece = vec![0; 16 * 1024];
        loop {
            self.changed.wait_while(&mut self.stalled.lock(), |stalled| *stalled);
            let Ok(length @ 1..) = log.read(&mut piece) else { return };
            // Without room on the disk the run fails soon enough.
            let _written = file.write_all(piece.get(..length).unwrap_or_default());
        }
    }
}
