//! What is measured: a server between the clients and the provider, in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::options::Options;
use crate::proc::Family;
use crate::wire::Request;

/// How long nginx may take to listen.
const STARTING: Duration = Duration::from_secs(5);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// `antiphon serve`; responses are stored.
    Stored,
    /// The same with `store.sync = "normal"`, which survives the process and not the machine.
    Normal,
    /// `antiphon serve` with `store: false`.
    Unstored,
    /// A proxy that passes on bytes as they come.
    Nginx,
    /// The same node as `stored`, in this program, which can tell its commits.
    Commits,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[Self::Stored, Self::Unstored, Self::Nginx, Self::Commits];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stored => "antiphon, stored",
            Self::Normal => "antiphon, sync = normal",
            Self::Unstored => "antiphon, store: false",
            Self::Nginx => "nginx",
            Self::Commits => "antiphon, commits",
        }
    }
}

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    /// What a client authenticates with, where that is asked for.
    pub(crate) key: String,
    pub(crate) family: Family,
    pipes: Option<(ChildStdin, BufReader<ChildStdout>)>,
    child: Killed,
    command: Option<Command>,
    folder: TempDir,
}

/// A database and a key ring that several servers share.
#[derive(Debug)]
pub(crate) struct SharedDatabase {
    pub(crate) url: String,
    keys: TempDir,
    /// The first key, once the first server has printed it.
    key: OnceLock<String>,
}

impl SharedDatabase {
    pub(crate) fn new(url: String) -> anyhow::Result<Self> {
        Ok(Self { url, keys: tempfile::tempdir()?, key: OnceLock::new() })
    }
}

/// A child that does not outlive this program's interest in it.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Target {
    pub(crate) fn start(options: &Options, kind: Kind, source: SocketAddr) -> anyhow::Result<Self> {
        Self::start_between(options, kind, [source; 2])
    }

    /// The same with a provider of its own for each of the two models.
    pub(crate) fn start_between(options: &Options, kind: Kind, sources: [SocketAddr; 2]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        match kind {
            Kind::Stored | Kind::Normal | Kind::Unstored => {
                let mut command = Command::new(options.antiphon.clone().map_or_else(antiphon, Ok)?);
                command.arg("--config").arg(config(folder.path(), sources, kind)?).arg("--data").arg(data);
                command.args(["serve", "--listen", "127.0.0.1:0"]);
                Self::antiphon(kind, command, folder)
            }
            Kind::Commits => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("node").arg(config(folder.path(), sources, kind)?).arg(data);
                Self::antiphon(kind, command, folder)
            }
            Kind::Nginx => Self::nginx(&options.nginx, sources[0], folder),
        }
    }

    /// A server of its own name on a database that others have too.
    pub(crate) fn start_on(
        options: &Options,
        database: &SharedDatabase,
        source: SocketAddr,
        name: &str,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix(name).tempdir()?;
        let mut command = Command::new(options.antiphon.clone().map_or_else(antiphon, Ok)?);
        command.arg("--config").arg(config(folder.path(), [source; 2], Kind::Stored)?);
        command.arg("--data").arg(folder.path().join("data")).args(["serve", "--listen", "127.0.0.1:0"]);
        command.env("ANTIPHON_STORE__URL", &database.url);
        command.env("ANTIPHON_VAULT__KEY_FILE", database.keys.path().join("keys.json"));
        Self::antiphon_with_key(Kind::Stored, command, folder, &database.key)
    }

    fn antiphon(kind: Kind, command: Command, folder: TempDir) -> anyhow::Result<Self> {
        Self::antiphon_with_key(kind, command, folder, &OnceLock::new())
    }

    /// Starts it and reads the key that it prints, unless one was printed by another one.
    fn antiphon_with_key(
        kind: Kind,
        mut command: Command,
        folder: TempDir,
        known: &OnceLock<String>,
    ) -> anyhow::Result<Self> {
        let mut child = spawn(&mut command)?;
        let stdin = child.0.stdin.take().context("no pipe")?;
        let mut stdout = BufReader::new(child.0.stdout.take().context("no pipe")?);
        let address = line_after(&mut stdout, "Antiphon listens on http://")?.parse()?;
        let key = match known.get() {
            Some(key) => key.clone(),
            None => format!("ak_{}", line_after(&mut stdout, "  ak_")?),
        };
        // One that is there is this one.
        let _known = known.set(key.clone());
        let family = Family::of(child.0.id());
        let (pipes, command) = (Some((stdin, stdout)), Some(command));
        Ok(Self { kind, address, key, family, pipes, child, command, folder })
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.0.kill()?;
        self.child.0.wait()?;
        Ok(())
    }

    /// Kills it, and starts it again over the same data; returns once it listens.
    pub(crate) fn kill_and_start(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.child = spawn(self.command.as_mut().context("nothing to start again")?)?;
        let stdin = self.child.0.stdin.take().context("no pipe")?;
        let mut stdout = BufReader::new(self.child.0.stdout.take().context("no pipe")?);
        self.address = line_after(&mut stdout, "Antiphon listens on http://")?.parse()?;
        self.family = Family::of(self.child.0.id());
        self.pipes = Some((stdin, stdout));
        Ok(())
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn nginx(program: &Path, source: SocketAddr, folder: TempDir) -> anyhow::Result<Self> {
        // Free a moment ago: what else starts here takes other ports.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let at = folder.path().display();
        let file = folder.path().join("nginx.conf");
        fs::write(
            &file,
            NGINX
                .replace("@AT@", &at.to_string())
                .replace("@LISTEN@", &address.to_string())
                .replace("@SOURCE@", &source.to_string()),
        )?;
        let child =
            spawn(Command::new(program).arg("-p").arg(folder.path()).arg("-e").arg("stderr").arg("-c").arg(file))?;
        wait_for_port(address)?;
        let (kind, key, family) = (Kind::Nginx, String::new(), Family::of(child.0.id()));
        Ok(Self { kind, address, key, family, pipes: None, child, command: None, folder })
    }

    /// A request for a stream.
    pub(crate) fn request(&self, prompt: &str) -> Request {
        self.request_of("bench", prompt)
    }

    /// The same of one of the two models, which are each at a provider of their own: `bench` and `neighbour`.
    pub(crate) fn request_of(&self, model: &str, prompt: &str) -> Request {
        let store = match self.kind {
            Kind::Nginx => return Request::chat(self.address, prompt),
            Kind::Unstored => false,
            Kind::Stored | Kind::Normal | Kind::Commits => true,
        };
        let body = json!({ "model": model, "input": prompt, "stream": true, "store": store });
        Request::post(self.address, "/v1/responses", &self.key, &body.to_string())
    }

    /// The node's commits and the entries in them so far, if it tells them.
    pub(crate) fn commits(&mut self) -> anyhow::Result<Option<(u64, u64)>> {
        let Some((stdin, stdout)) = self.pipes.as_mut().filter(|_| self.kind == Kind::Commits) else { return Ok(None) };
        stdin.write_all(b"\n")?;
        let counts = line_after(stdout, "commits ")?;
        let (commits, entries) = counts.split_once(' ').context("two counts")?;
        Ok(Some((commits.parse()?, entries.parse()?)))
    }

    /// Whether it still runs.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let ended = self.child.0.try_wait()?;
        ensure!(ended.is_none(), "{} has ended", self.kind.name());
        Ok(())
    }
}

pub(crate) fn spawn(command: &mut Command) -> anyhow::Result<Killed> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    child.map(Killed).with_context(|| format!("{} can't be started", command.get_program().display()))
}

/// The program that `cargo build --release --bin antiphon` has made.
fn antiphon() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("antiphon");
    ensure!(program.exists(), "there is no {}: build it, or name it with --antiphon", program.display());
    Ok(program)
}

/// The defaults, but for the provider and for a log without a line per request.
fn config(folder: &Path, [bench, neighbour]: [SocketAddr; 2], kind: Kind) -> anyhow::Result<PathBuf> {
    let file = folder.join("config.toml");
    let sync = if kind == Kind::Normal { "normal" } else { "full" };
    let text = format!(
        "[log]\nfilter = \"warn\"\n[store]\nsync = \"{sync}\"\n{}{}",
        provider("bench", bench),
        provider("neighbour", neighbour)
    );
    fs::write(&file, text)?;
    Ok(file)
}

/// A provider with one model, both of that name.
fn provider(name: &str, source: SocketAddr) -> String {
    format!(
        "[providers.{name}]\nkind = \"chat_completions\"\nbase_url = \"http://{source}/v1\"\nmodels = [\"{name}\"]\n"
    )
}

const NGINX: &str = r#"
daemon off;
pid @AT@/nginx.pid;
error_log stderr warn;
worker_processes auto;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path @AT@/body;
    proxy_temp_path @AT@/proxy;
    fastcgi_temp_path @AT@/fastcgi;
    uwsgi_temp_path @AT@/uwsgi;
    scgi_temp_path @AT@/scgi;
    server {
        listen @LISTEN@;
        location / {
            proxy_pass http://@SOURCE@;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 60s;
        }
    }
}
"#;

/// Reads on to the line that begins so, and gives back its rest.
fn line_after(lines: &mut impl BufRead, beginning: &str) -> anyhow::Result<String> {
    let mut line = String::new();
    loop {
        line.clear();
        ensure!(lines.read_line(&mut line)? > 0, "the server ended before it said '{beginning}'");
        if let Some(rest) = line.strip_prefix(beginning) {
            return Ok(rest.trim_end().to_owned());
        }
    }
}

fn wait_for_port(address: SocketAddr) -> anyhow::Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        ensure!(begun.elapsed() < STARTING, "nothing listens on {address}");
        std::thread::yield_now();
    }
    Ok(())
}
