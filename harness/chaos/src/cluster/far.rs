//! The far server: another Antiphon, which is a provider of the others and is left alone.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::timeout;

use super::process::Process;
use crate::performance::Stage;

/// How long it may take to listen.
const STARTING: Duration = Duration::from_secs(30);

/// It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Far {
    pub(super) address: SocketAddr,
    pub(super) key: String,
    _process: Process,
}

impl Far {
    /// Starts it in a folder; it asks that provider.
    pub(super) async fn start(binary: &Path, folder: &Path, provider: SocketAddr) -> anyhow::Result<Self> {
        let file = folder.join("far.toml");
        fs::write(&file, config(folder, provider))?;
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANTIPHON_")) {
            command.env_remove(name);
        }
        command.arg("--config").arg(&file).arg("--data").arg(folder.join("far"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder);
        let process = Process::start(&mut command, File::create(folder.join("far.log"))?, &Arc::default())?;
        let mut said = process.said();
        let ready = said.wait_for(|said| said.over || (said.address.is_some() && said.key.is_some()));
        let said = timeout(STARTING, ready).await.context("the far server does not listen")??.clone();
        ensure!(!said.over, "the far server ended");
        let (address, key) = said.address.zip(said.key).context("the far server has no key")?;
        Ok(Self { address, key, _process: process })
    }
}

/// How often somebody who had lost a call came back to it, by the far server's log.
pub(super) fn returns(folder: &Path) -> usize {
    let log = fs::read_to_string(folder.join("far.log")).unwrap_or_default();
    log.lines().filter(|line| line.contains("http.request.answered") && line.contains("http.method=GET")).count()
}

/// Everything that it is asked for runs at once.
fn config(folder: &Path, provider: SocketAddr) -> String {
    let (database, keys) = (folder.join("far.db"), folder.join("far-keys.json"));
    let name = Stage::Far.name();
    format!(
        "[store]\nurl = \"sqlite://{}\"\nsync = \"normal\"\n\
         [vault]\nkey_file = {keys:?}\n\
         [responses]\nbackground_concurrency = 400\nbackground_concurrency_per_user = 400\n\
         [providers.eliza]\nkind = \"eliza\"\nenabled = false\n\
         [providers.{name}]\nkind = \"chat_completions\"\nbase_url = \"http://{provider}/v1\"\n\
         models = [{{ id = \"{name}\", encoding = \"cl100k_base\" }}]\nmax_retries = 0\nmax_concurrent = 400\n",
        database.display()
    )
}
