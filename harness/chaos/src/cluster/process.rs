//! One run of a server.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, ensure};
use rustix::pipe::fcntl_setpipe_size;
use tokio::sync::watch;

use super::target::LogReader;

/// How much a server logs before somebody has to read.
const PIPE_BYTES: usize = 4096;

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    said: watch::Receiver<Said>,
}

/// What a server told on its standard output.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// Where it listens.
    pub(super) address: Option<SocketAddr>,
    /// The first key.
    pub(super) key: Option<String>,
    /// The output is closed.
    pub(super) over: bool,
}

impl Process {
    /// Starts it. What it logs is added to the file, whenever somebody reads.
    pub(super) fn start(command: &mut Command, log: File, reader: &Arc<LogReader>) -> anyhow::Result<Self> {
        // A group of its own: what is typed at this program's terminal is for this program.
        let command = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("{} can't be started", command.get_program().display()))?;
        let output = child.stdout.take().context("no pipe")?;
        let errors = child.stderr.take().context("no pipe")?;
        // Small, so that it is full soon after nobody reads.
        fcntl_setpipe_size(&errors, PIPE_BYTES)?;
        let reader = Arc::clone(reader);
        thread::spawn(move || reader.copy(errors, log));
        let (tell, said) = watch::channel(Said::default());
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                tell.send_modify(|said| said.hear(&line));
            }
            tell.send_modify(|said| said.over = true);
        });
        Ok(Self { child, said })
    }

    /// What it says.
    pub(super) fn said(&self) -> watch::Receiver<Said> {
        self.said.clone()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Kills it and waits until it is gone.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `STOP` or `CONT`.
    pub(super) fn signal(&self, name: &str) -> anyhow::Result<()> {
        ensure!(signal(self.child.id(), name)?, "the signal {name} can't be sent");
        Ok(())
    }
}

/// Sends a process a signal. False if there is no such process.
pub(super) fn signal(process: u32, name: &str) -> anyhow::Result<bool> {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).stderr(Stdio::null()).status()?;
    Ok(sent.success())
}

impl Said {
    fn hear(&mut self, line: &str) {
        if let Some(url) = line.strip_prefix("Antiphon listens on http://") {
            self.address = url.parse().ok();
        }
        if line.trim().starts_with("ak_") {
            self.key = Some(line.trim().to_owned());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.kill();
    }
}
