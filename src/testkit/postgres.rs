//! A real PostgreSQL server for tests, from the distribution's package.

#![expect(clippy::panic, reason = "a test cannot go on without its server")]

use std::{
    fs,
    io::{self, BufRead, BufReader},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// A script that sets up a cluster in a temporary folder, prints that it is ready, and stops it when standard input
/// ends: that is, when the test process ends, in whatever way.
const KEEPER: &str = r#"
set -eu
bin=$1 port=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
    "$bin/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync >log 2>&1 &&
    "$bin/pg_ctl" -D data -l log -w -o "-p $port -k $folder -c listen_addresses=127.0.0.1 -c fsync=off \
        -c synchronous_commit=off -c full_page_writes=off -c max_connections=200" start >/dev/null
} || { cat log >&2; exit 1; }
echo ready
cat >/dev/null
"$bin/pg_ctl" -D data -m immediate -w stop >/dev/null
"#;

static SERVER: OnceLock<Postgres> = OnceLock::new();

/// A running server; it stops when this is dropped or the process ends.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    port: u16,
    databases: AtomicU32,
    // The server runs as long as the keeper's standard input is open.
    _keeper: Child,
}

/// Makes an empty database on the server that all tests of this process share, and gives its URL.
///
/// # Panics
/// If PostgreSQL is not installed or does not start.
#[must_use]
pub fn fresh_database() -> String {
    SERVER.get_or_init(Postgres::start).create_database()
}

impl Postgres {
    /// Starts a server on a free port, without the durability that tests don't need.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let bin = programs();
        let port = free_port();
        let mut command = if is_root() { as_postgres() } else { Command::new("sh") };
        command.args(["-c", KEEPER, "sh"]).arg(&bin).arg(port.to_string());
        // A group of its own: an interrupt at the terminal must not reach the keeper before its input ends.
        command.process_group(0);
        let started = command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut keeper = started.unwrap_or_else(|error| panic!("cannot start PostgreSQL: {error}"));
        let mut word = String::new();
        let answer = keeper.stdout.take().map(|output| BufReader::new(output).read_line(&mut word));
        if !matches!(answer, Some(Ok(_))) || word.trim() != "ready" {
            panic!("PostgreSQL did not start; its own words are on standard error");
        }
        Self { bin, port, databases: AtomicU32::new(0), _keeper: keeper }
    }

    /// Makes an empty database and gives its URL.
    ///
    /// # Panics
    /// If the server refuses.
    #[must_use]
    pub fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        let created = Command::new(self.bin.join("createdb"))
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-T", "template0", &name])
            .status();
        assert!(created.is_ok_and(|status| status.success()), "cannot create the database {name}");
        format!("postgres://postgres@127.0.0.1:{port}/{name}")
    }
}

impl Postgres {
    /// Writes all of a database into a file, as SQL.
    ///
    /// # Errors
    /// If the server is gone or the file can't be written.
    pub fn dump(&self, url: &str, file: &Path) -> io::Result<()> {
        let dumped = Command::new(self.bin.join("pg_dump")).arg("--file").arg(file).arg(url).status()?;
        if dumped.success() { Ok(()) } else { Err(io::Error::other(format!("pg_dump: {dumped}"))) }
    }
}

/// The folder of the newest installed version's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed = versions
        .filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let bin = version.path().join("bin");
            ["initdb", "pg_ctl", "createdb"].iter().all(|name| bin.join(name).is_file()).then_some((number, bin))
        })
        .max();
    match installed {
        Some((_, bin)) => bin,
        None => panic!("the tests need PostgreSQL: install the package `postgresql`"),
    }
}

fn free_port() -> u16 {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.unwrap_or_else(|error| panic!("no free port: {error}")).port()
}

/// A command that runs as the user of PostgreSQL's package, because PostgreSQL refuses to run as root.
fn as_postgres() -> Command {
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--", "sh"]);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(Path::new("/proc/self")).is_ok_and(|process| process.uid() == 0)
}
