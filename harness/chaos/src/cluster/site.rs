//! The folder of a run, with everything in it that the servers need, and the database.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use antiphon::testkit::postgres::Postgres;
use anyhow::ensure;
use tempfile::TempDir;

use super::binary::takes_faults;
use super::far::{self, Far};
use super::network::Network;
use crate::options::Database;
use crate::performance::Stage;
use crate::trouble::HANG_AFTER;

/// The variable with the servers' key for the far one.
const FAR_KEY: &str = "FAR_KEY";

/// A temporary folder; it is removed when this is dropped, unless it is kept.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    binary: PathBuf,
    servers: usize,
    /// How the database is reached past the servers.
    pub(crate) database: String,
    /// The ways of the servers to it, if there is a network between.
    networks: Vec<Network>,
    /// Whether threads of its servers can be blocked.
    pub(crate) takes_faults: bool,
    far: Far,
    postgres: Option<Postgres>,
}

impl Site {
    pub(crate) async fn new(
        binary: PathBuf,
        database: Database,
        servers: usize,
        provider: SocketAddr,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("antiphon-chaos-").tempdir()?;
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::start()),
        };
        let file = format!("sqlite://{}", folder.path().join("antiphon.db").display());
        let database = postgres.as_ref().map_or(file, Postgres::create_database);
        let networks = postgres.iter().flat_map(|_| 0..servers).map(|_| Network::to(&database)).collect();
        let keys = folder.path().join("keys.json");
        let far = Far::start(&binary, folder.path(), provider).await?;
        fs::write(folder.path().join("config.toml"), config(&database, &keys, (provider, far.address)))?;
        let takes_faults = takes_faults(&binary)?;
        Ok(Self { folder, binary, servers, database, networks, takes_faults, far, postgres })
    }

    /// The network between a server and the database, if there is one.
    pub(crate) fn network(&self, server: usize) -> Option<&Network> {
        self.networks.get(server)
    }

    /// The network of that server, or of all.
    pub(crate) fn networks(&self, server: Option<usize>) -> impl Iterator<Item = &Network> {
        let all = self.networks.iter().enumerate();
        all.filter(move |(number, _)| server.is_none_or(|server| server == *number)).map(|(_, network)| network)
    }

    /// How often a server came back to a call of the far one.
    pub(crate) fn returns_to_calls(&self) -> usize {
        far::returns(self.folder.path())
    }

    /// How often a server told that lines of its log were dropped.
    pub(crate) fn gaps_in_logs(&self) -> usize {
        let text = |server| fs::read_to_string(self.log_path(server)).unwrap_or_default();
        (0..self.servers).map(|server| text(server).matches("lines of the log were dropped").count()).sum()
    }

    /// Runs a command beside the servers, to its end; what it printed.
    pub(crate) async fn administer(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.program(0);
        command.args(arguments);
        let told = format!("{arguments:?}");
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(output.status.success(), "{told}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// The command that starts a server.
    pub(super) fn command(&self, server: usize) -> Command {
        let mut command = self.program(server);
        if let Some(network) = self.network(server) {
            command.env("ANTIPHON_STORE__URL", &network.url);
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command
    }

    fn program(&self, server: usize) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANTIPHON_")) {
            command.env_remove(name);
        }
        command.arg("--config").arg(self.folder.path().join("config.toml")).arg("--data").arg(self.data(server));
        command.env(FAR_KEY, &self.far.key).current_dir(self.folder.path());
        command
    }

    /// The data directory of a server.
    pub(super) fn data(&self, server: usize) -> PathBuf {
        self.folder.path().join(format!("data-{server}"))
    }

    /// Where a server logs.
    pub(super) fn log(&self, server: usize) -> anyhow::Result<File> {
        Ok(OpenOptions::new().create(true).append(true).open(self.log_path(server))?)
    }

    fn log_path(&self, server: usize) -> PathBuf {
        self.folder.path().join(format!("server-{server}.log"))
    }

    /// The end of a server's log.
    pub(super) fn log_tail(&self, server: usize) -> String {
        let text = fs::read_to_string(self.log_path(server)).unwrap_or_default();
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
fn config(database: &str, keys: &Path, (provider, far): (SocketAddr, SocketAddr)) -> String {
    let hang_after = HANG_AFTER.as_secs();
    let mut text = format!(
        "[server]\ndrain_timeout = \"1s\"\n\
         [http]\nheader_wait = \"500ms\"\nkeep_alive = \"1s\"\n\
         [store]\nurl = {database:?}\n\
         [vault]\nkey_file = {keys:?}\n\
         [responses]\nlease = \"3s\"\nhang_after = \"{hang_after}s\"\ngrace = \"700ms\"\nbackground_concurrency = 24\nbackground_concurrency_per_user = 24\n\
         [log]\nfilter = \"info\"\nbuffer_bytes = \"16KiB\"\n\
         [providers.eliza]\nkind = \"eliza\"\nenabled = false\n"
    );
    for stage in Stage::all() {
        // The smaller vocabulary: a server loads it before it can take its first request.
        let (name, retries) = (stage.name(), stage.most_calls() - 1);
        let patience = if stage == Stage::Broken { "700ms" } else { "10s" };
        let (address, kind) = match stage {
            Stage::Far => (far, format!("\"responses\"\nreattach = true\napi_key_env = \"{FAR_KEY}\"")),
            Stage::Steady(_) | Stage::Broken | Stage::Busy => (provider, "\"chat_completions\"".to_owned()),
        };
        // Writing to a string does not fail.
        let _written = write!(
            text,
            "[providers.{name}]\nkind = {kind}\nbase_url = \"http://{address}/v1\"\n\
             models = [{{ id = \"{name}\", encoding = \"cl100k_base\" }}]\nmax_retries = {retries}\nidle_timeout = \"{patience}\"\n"
        );
    }
    text
}
