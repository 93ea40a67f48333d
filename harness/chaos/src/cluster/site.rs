//! The folder of a run, with everything in it that the servers need, and the database.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use antiphon::testkit::postgres::Postgres;
use tempfile::TempDir;

use crate::options::Database;
use crate::performance::Stage;

/// A temporary folder; it is removed when this is dropped, unless it is kept.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    binary: PathBuf,
    /// How the database is reached past the servers.
    pub(crate) database: String,
    postgres: Option<Postgres>,
}

impl Site {
    pub(crate) fn new(binary: PathBuf, database: Database, provider: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("antiphon-chaos-").tempdir()?;
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::start()),
        };
        let file = format!("sqlite://{}", folder.path().join("antiphon.db").display());
        let database = postgres.as_ref().map_or(file, Postgres::create_database);
        let keys = folder.path().join("keys.json");
        fs::write(folder.path().join("config.toml"), config(&database, &keys, provider))?;
        Ok(Self { folder, binary, database, postgres })
    }

    /// The command that starts a server.
    pub(super) fn command(&self, server: usize) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANTIPHON_")) {
            command.env_remove(name);
        }
        command.arg("--config").arg(self.folder.path().join("config.toml")).arg("--data").arg(self.data(server));
        command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(self.folder.path());
        command
    }

    /// The data directory of a server.
    pub(super) fn data(&self, server: usize) -> PathBuf {
        self.folder.path().join(format!("data-{server}"))
    }

    /// Where a server logs.
    pub(super) fn log(&self, server: usize) -> anyhow::Result<File> {
        let path = self.folder.path().join(format!("server-{server}.log"));
        Ok(OpenOptions::new().create(true).append(true).open(path)?)
    }

    /// The end of a server's log.
    pub(super) fn log_tail(&self, server: usize) -> String {
        let text = fs::read_to_string(self.folder.path().join(format!("server-{server}.log"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join(" | ")
    }

    /// Puts a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.path().join(name), text)?)
    }

    /// Keeps the folder, with the database in it; where it is. The servers must have ended.
    pub(crate) fn keep(mut self) -> anyhow::Result<PathBuf> {
        // First of all: what follows may fail.
        self.folder.disable_cleanup(true);
        let path = self.folder.path().to_owned();
        if let Some(postgres) = &self.postgres {
            postgres.dump(&self.database, &path.join("database.sql"))?;
        }
        Ok(path)
    }
}

/// Everything at its default but for the providers and for times that are short enough to be met within a run.
fn config(database: &str, keys: &Path, provider: SocketAddr) -> String {
    let mut text = format!(
        "[server]\ndrain_timeout = \"1s\"\n\
         [http]\nheader_wait = \"500ms\"\nkeep_alive = \"1s\"\n\
         [store]\nurl = {database:?}\n\
         [vault]\nkey_file = {keys:?}\n\
         [responses]\nlease = \"3s\"\ngrace = \"700ms\"\nbackground_concurrency = 24\nbackground_concurrency_per_user = 24\n\
         [log]\nfilter = \"info\"\n\
         [providers.eliza]\nkind = \"eliza\"\nenabled = false\n"
    );
    for stage in Stage::all() {
        // The smaller vocabulary: a server loads it before it can take its first request.
        let (name, retries) = (stage.name(), stage.most_calls() - 1);
        let patience = if stage == Stage::Broken { "700ms" } else { "10s" };
        // Writing to a string does not fail.
        let _written = write!(
            text,
            "[providers.{name}]\nkind = \"chat_completions\"\nbase_url = \"http://{provider}/v1\"\n\
             models = [{{ id = \"{name}\", encoding = \"cl100k_base\" }}]\nmax_retries = {retries}\nidle_timeout = \"{patience}\"\n"
        );
    }
    text
}
