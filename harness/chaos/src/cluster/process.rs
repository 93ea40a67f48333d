//! One run of a server.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context as _, ensure};
use tokio::sync::watch;

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
    /// Starts it. What it logs is added to the file.
    pub(super) fn start(command: &mut Command, log: File) -> anyhow::Result<Self> {
        // A group of its own: what is typed at this program's terminal is for this program.
        let command = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child =
            command.spawn().with_context(|| format!("{} can't be started", command.get_program().display()))?;
        let output = child.stdout.take().context("no pipe")?;
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

    /// Sends a signal: `TERM`, `STOP` or `CONT`.
    pub(super) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status()?;
        ensure!(sent.success(), "the signal {name} can't be sent");
        Ok(())
    }
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
