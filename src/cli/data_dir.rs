//! The data directory: what makes a node.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::StartupError;

/// The directory of the database, the key file and the lock.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// The lock of a data directory. It is released when this is dropped or the process ends in any way.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDir {
    /// Opens the directory; one that is not there is made, for its owner alone.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn open(path: &Path) -> Result<Self, StartupError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| StartupError::DataDir { path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }

    /// The directory, whether it is there or not.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes the lock that one serving process has at a time.
    ///
    /// # Errors
    /// If another process has it.
    pub fn lock(&self) -> Result<DataDirLock, StartupError> {
        let path = self.0.join("lock");
        let unusable = |source| StartupError::DataDir { path: path.clone(), source };
        let mut file = OpenOptions::new();
        let file = file.create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let mut file = file.map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {
                write_process(&mut file).map_err(unusable)?;
                Ok(DataDirLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                Err(StartupError::DataDirBusy { path: self.0.clone(), process: process(&file) })
            }
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// The name that the node of this directory has in the database: made once, and the same after every
    /// restart. Only the holder of the lock may ask.
    ///
    /// # Errors
    /// If it can't be read or written.
    pub fn node_name(&self, _lock: &DataDirLock) -> Result<String, StartupError> {
        let path = self.0.join("node");
        let read = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_node_name(&path),
            read => read,
        };
        read.map_err(|source| StartupError::DataDir { path, source })
    }

    fn make_node_name(&self, path: &Path) -> io::Result<String> {
        let name = format!("node_{}", Uuid::now_v7().simple());
        self.write(path, &name)?;
        Ok(name)
    }

    /// Where it is noted which database the directory is used with.
    #[must_use]
    pub fn database_note(&self) -> PathBuf {
        self.0.join("database")
    }

    /// Whether the directory was used with the database of that place before.
    ///
    /// # Errors
    /// If the note can't be read.
    pub fn has_used(&self, database: &str) -> Result<bool, StartupError> {
        let path = self.database_note();
        match fs::read_to_string(&path) {
            Ok(noted) => Ok(noted == database),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StartupError::DataDir { path, source }),
        }
    }

    /// Notes that the directory is used with the database of that place.
    ///
    /// # Errors
    /// If the note can't be written.
    pub fn note_used(&self, database: &str) -> Result<(), StartupError> {
        let path = self.database_note();
        self.write(&path, database).map_err(|source| StartupError::DataDir { path, source })
    }

    /// Writes a file of the directory durably, for its owner alone, in one step.
    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let fresh = path.with_extension(format!("new.{}", Uuid::now_v7().simple()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(&self.0)?.sync_all()
    }
}

/// Writes this process's id into the lock's file, for people; the lock itself is the system's.
fn write_process(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn process(mut file: &File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
