//! Where a key ring comes from.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{KeyRing, RingError};

/// How long a key command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest text that is read as a key ring.
const MAX_TEXT: u64 = 1024 * 1024;

/// Where a key ring comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file that only its owner may read. It can be rotated.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// What a command prints on standard output; `sh -c` runs it.
    Command(String),
}

// A command may hold a secret.
impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
            Self::Command(_) => f.debug_tuple("Command").finish_non_exhaustive(),
        }
    }
}

impl KeySource {
    pub(super) fn read(&self) -> Result<Zeroizing<String>, RingError> {
        match self {
            Self::File(path) => read_file(path),
            Self::Variable(name) => {
                std::env::var(name).map(Zeroizing::new).map_err(|_| RingError::Variable(name.clone()))
            }
            Self::Command(line) => run(line, COMMAND_TIMEOUT),
        }
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, RingError> {
    let failed = |source| RingError::File { path: path.to_owned(), source };
    let missing = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound { RingError::Missing(path.to_owned()) } else { failed(error) }
    };
    let file = File::open(path).map_err(missing)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(RingError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_TEXT).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Writes a new file; leaves one that exists as it is.
pub(super) fn create_file(path: &Path, text: &str) -> Result<(), RingError> {
    let failed = |source| RingError::File { path: path.to_owned(), source };
    let fresh = write_beside(path, text).map_err(failed)?;
    // A hard link, unlike a rename, does not replace what another process has put there.
    let linked = match std::fs::hard_link(&fresh, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    let removed = std::fs::remove_file(&fresh);
    linked.and(removed).and_then(|()| sync_directory(path)).map_err(failed)
}

/// Adds a current key to the ring in a file. The file is read again under a lock first, so that two
/// rotations at once lose no key, and replaced in one step.
pub(super) fn rotate_file(path: &Path) -> Result<KeyRing, RingError> {
    let failed = |source| RingError::File { path: path.to_owned(), source };
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.with_extension("lock"))
        .map_err(failed)?;
    lock.lock().map_err(failed)?;
    let next = KeyRing::open(KeySource::File(path.to_owned()))?.with_next_version()?;
    let fresh = write_beside(path, &next.text()?).map_err(failed)?;
    std::fs::rename(&fresh, path).and_then(|()| sync_directory(path)).map_err(failed)?;
    Ok(next)
}

/// Writes a file of mode 0600 in the same directory, durably, and returns its path.
fn write_beside(path: &Path, text: &str) -> io::Result<PathBuf> {
    let fresh = path.with_extension(format!("new.{}", uuid::Uuid::now_v7().simple()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    // The mode that a file is created with is subject to the process's umask.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(fresh)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn run(line: &str, timeout: Duration) -> Result<Zeroizing<String>, RingError> {
    let mut child = Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(RingError::Command)?;
    let output = read_output(&mut child, timeout);
    if output.is_err() {
        // It may have ended by itself in the meantime; the first error is the one to report.
        child.kill().ok();
    }
    let status = child.wait().map_err(RingError::Command)?;
    let output = output?;
    if status.success() { Ok(output) } else { Err(RingError::CommandStatus(status)) }
}

/// Reads on a thread of its own, which ends when the command closes its output or is killed.
fn read_output(child: &mut Child, timeout: Duration) -> Result<Zeroizing<String>, RingError> {
    let Some(stdout) = child.stdout.take() else {
        return Err(RingError::Command(io::ErrorKind::BrokenPipe.into()));
    };
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut text = Zeroizing::new(String::new());
        let read = stdout.take(MAX_TEXT).read_to_string(&mut text);
        // Nothing receives this after the timeout.
        sender.send(read.map(|_| text)).ok();
    });
    match receiver.recv_timeout(timeout) {
        Ok(read) => read.map_err(RingError::Command),
        Err(_) => Err(RingError::CommandTimeout),
    }
}
