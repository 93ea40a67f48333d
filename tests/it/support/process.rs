use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
};

use antiphon::testkit::ScriptedProvider;
use sea_orm::DatabaseConnection;
use tempfile::TempDir;

use super::{
    capture::{Capture, PATIENCE},
    client::Client,
    database,
};

/// A data directory, a configuration file and an environment, for any number of runs of the binary.
pub(crate) struct Site {
    folder: TempDir,
    config: String,
    environment: Vec<(String, String)>,
    database: Option<String>,
    fault: Option<String>,
    open_files: Option<u32>,
}

impl Site {
    /// A fresh one with the built-in provider alone.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, config: String::new(), environment: Vec::new(), database: None, fault: None, open_files: None }
    }

    /// A fresh one with these models of a scripted provider.
    pub(crate) fn with_models(provider: &ScriptedProvider, models: &[&str]) -> Self {
        Self::new().provider("scripted", &provider.base_url(), models)
    }

    /// Adds a provider that is asked once for each response.
    pub(crate) fn provider(self, name: &str, base_url: &str, models: &[&str]) -> Self {
        self.provider_of_kind("chat_completions", (name, base_url, models))
    }

    /// Adds a provider that speaks that protocol and is asked once for each response.
    pub(crate) fn provider_of_kind(mut self, kind: &str, (name, base_url, models): (&str, &str, &[&str])) -> Self {
        let section = format!(
            "[providers.{name}]\nkind = \"{kind}\"\nbase_url = \"{base_url}\"\nmodels = {models:?}\n\
             first_byte_timeout = \"30s\"\nmax_retries = 0\n"
        );
        self.config.push_str(&section);
        self
    }

    /// Adds lines to the configuration file.
    pub(crate) fn config(mut self, lines: &str) -> Self {
        writeln!(self.config, "{lines}").unwrap();
        self
    }

    /// Adds an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uses that database in place of the embedded one.
    pub(crate) fn on(mut self, url: &str) -> Self {
        self.database = Some(url.to_owned());
        self.variable("ANTIPHON_STORE__URL", url)
    }

    /// Has servers begin with a limit of that many open files, which they can't raise.
    pub(crate) fn open_files(self, files: u32) -> Self {
        Self { open_files: Some(files), ..self }
    }

    /// Has servers die at this fault point, from their next start on; at none, if there is none.
    #[cfg(feature = "fault-points")]
    pub(crate) fn fault(&mut self, point: Option<String>) {
        self.fault = point;
    }

    /// Another data directory with the same configuration, database and key ring: another node.
    pub(crate) fn beside(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, environment) = (self.config.clone(), self.environment.clone());
        let other =
            Self { folder, config, environment, database: self.database.clone(), fault: None, open_files: None };
        fs::create_dir(other.data()).unwrap();
        fs::copy(self.data().join("keys.json"), other.data().join("keys.json")).unwrap();
        other.mark_started();
        other
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A connection to the database past the server.
    pub(crate) async fn script(&self) -> DatabaseConnection {
        let embedded = format!("sqlite://{}", self.data().join("antiphon.db").display());
        database::open(self.database.as_ref().unwrap_or(&embedded)).await
    }

    /// Everything that the data directory's files hold, by name.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.data()).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
    }

    /// A command over the data directory and the configuration file.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let file = self.folder.path().join("config.toml");
        fs::write(&file, &self.config).unwrap();
        let mut command = self.bare(arguments);
        command.arg("--config").arg(&file).arg("--data").arg(self.data());
        command
    }

    /// A command without any arguments beside these, in the folder that `config.toml` and `data` go to.
    pub(crate) fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("ANTIPHON_")) {
            command.env_remove(name);
        }
        command.args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env_remove("FAULT_POINT").envs(self.fault.iter().map(|point| ("FAULT_POINT", point)));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; its standard output.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap().trim().to_owned()
    }

    /// Runs a command that must fail: how it ended, and its standard error. Its standard output must be empty.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (ExitStatus, String) {
        Self::failed(&mut self.command(arguments))
    }

    /// The same for a command with its arguments.
    pub(crate) fn failed(command: &mut Command) -> (ExitStatus, String) {
        let Output { status, stderr, stdout } = command.output().unwrap();
        assert!(!status.success(), "{command:?}");
        assert!(stdout.is_empty(), "{command:?} printed {}", String::from_utf8_lossy(&stdout));
        (status, String::from_utf8(stderr).unwrap())
    }

    /// The folder that everything of it is in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a server on a free port and waits until it listens. The key is the one that it printed; after the
    /// very first start it prints none, and a new one is made.
    pub(crate) async fn start(&self) -> Running {
        self.started(self.launch()).await
    }

    /// The same, and nobody reads what the server logs before [`Running::read_log`].
    pub(crate) async fn start_unread(&self) -> Running {
        let (mut running, log) = self.spawn(Stdio::piped());
        (running.errors, running.unread) = Capture::later(log);
        self.started(running).await
    }

    async fn started(&self, running: Running) -> Running {
        let mut running = Self::listening(running).await;
        running.key = match self.has_keys() {
            true => self.run(&["keys", "create", "--name", "another"]),
            false => running.output.find(printed_key).await.unwrap(),
        };
        self.mark_started();
        running
    }

    /// Starts a server again, for clients that have this key.
    pub(crate) async fn start_again(&self, key: &str) -> Running {
        let mut running = Self::listening(self.launch()).await;
        key.clone_into(&mut running.key);
        running
    }

    async fn listening(mut running: Running) -> Running {
        let line =
            |text: &str| text.lines().find_map(|line| line.strip_prefix("Antiphon listens on ")).map(str::to_owned);
        running.url = running.output.find(line).await.unwrap_or_default();
        assert!(!running.url.is_empty(), "the server did not start: {}", running.log());
        running
    }

    /// Starts a server and does not wait until it listens.
    pub(crate) fn launch(&self) -> Running {
        self.launch_into(Stdio::piped())
    }

    /// The same with a standard output of the test's own.
    pub(crate) fn launch_into(&self, output: Stdio) -> Running {
        let (mut running, log) = self.spawn(output);
        running.errors = Capture::of(log);
        running
    }

    /// Starts a server; its standard error is not read yet.
    fn spawn(&self, output: Stdio) -> (Running, ChildStderr) {
        let served = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        // A shell becomes the server.
        let limit = self.open_files.map(|files| format!("ulimit -n {files}; ")).unwrap_or_default();
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{limit}exec \"$0\" \"$@\"")).arg(served.get_program()).args(served.get_args());
        for (name, value) in served.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        let mut child = command.stdout(output).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().map_or_else(|| Capture::of(io::empty()), Capture::of);
        let log = child.stderr.take().unwrap();
        let (errors, unread) = Capture::later(io::empty());
        (Running { child, output, errors, unread, url: String::new(), key: String::new() }, log)
    }

    /// Says that a server has started there before and printed its key.
    pub(crate) fn mark_started(&self) {
        fs::write(self.folder.path().join("started"), "").unwrap();
    }

    /// Another API key of the same user.
    pub(crate) fn new_key(&self) -> String {
        self.run(&["keys", "create", "--name", "one-more"])
    }

    fn has_keys(&self) -> bool {
        self.folder.path().join("started").exists()
    }
}

fn printed_key(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| line.starts_with("ak_"))?;
    // The line may still be on its way.
    text.contains(&format!("{line}\n")).then(|| line.to_owned())
}

/// A server that runs. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    output: Capture,
    errors: Capture,
    /// Nothing that it logs is read while this is held.
    unread: mpsc::Sender<()>,
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Running {
    /// A client with the server's first key.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, &self.key)
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.errors.text()
    }

    /// What it printed so far.
    pub(crate) fn printed(&self) -> String {
        self.output.text()
    }

    /// Has its log read from now on.
    pub(crate) fn read_log(&mut self) {
        self.unread = mpsc::channel().0;
    }

    /// Waits until it has printed a whole line that begins so.
    pub(crate) async fn printed_line(&self, beginning: &str) {
        let whole = |text: &str| {
            text.split_inclusive('\n').find(|line| line.starts_with(beginning))?.ends_with('\n').then_some(())
        };
        assert!(self.output.find(whole).await.is_some(), "{beginning:?} was not printed: {}", self.printed());
    }

    /// Waits until it has logged that.
    pub(crate) async fn logged(&self, words: &str) {
        let found = self.errors.find(|text| text.contains(words).then_some(())).await;
        assert!(found.is_some(), "{words:?} is not in the log: {}", self.log());
    }

    /// Waits until it has logged that so often.
    pub(crate) async fn logged_times(&self, words: &str, times: usize) {
        let found = self.errors.find(|text| (text.matches(words).count() >= times).then_some(())).await;
        assert!(found.is_some(), "{words:?} is not in the log {times} times: {}", self.log());
    }

    /// Lets its files grow to that many bytes, or `unlimited`.
    pub(crate) fn limit_files(&self, bytes: &str) {
        let (process, limit) = (self.child.id().to_string(), format!("--fsize={bytes}:"));
        assert!(Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap().success());
    }

    /// Lets it have no further file open than it has, or as many as that.
    pub(crate) fn limit_open_files(&self, files: &str) {
        let (process, limit) = (self.child.id().to_string(), format!("--nofile={files}:"));
        assert!(Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap().success());
    }

    /// Kills it as a failing machine would; all that it logged.
    pub(crate) async fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.errors.whole().await
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Has it stand still, as a machine that swaps or is moved would.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn unpause(&self) {
        self.signal("-CONT");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has stopped by itself: how, and all that it logged.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        // The end of its outputs is the end of the process, and can be waited for with patience.
        let log = self.errors.whole().await;
        let _printed = tokio::time::timeout(PATIENCE, self.output.whole()).await;
        (self.child.wait().unwrap(), log)
    }

    /// The same where nobody reads its log.
    pub(crate) async fn ended_unread(mut self) -> ExitStatus {
        self.output.whole().await;
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
