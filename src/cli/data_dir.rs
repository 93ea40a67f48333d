//! The data directory: what makes a node.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use uuid::Uuid;

/// The directory of the database, the key file and the lock.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// The lock of a data directory. It is gone when this is dropped or the process ends, however it does.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDir {
    /// Opens the directory; one that is not there is made, for its owner alone.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.with_context(|| format!("the data directory '{}' can't be made", path.display()))?;
        Ok(Self(path.to_owned()))
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
    pub fn lock(&self) -> anyhow::Result<DataDirLock> {
        let path = self.0.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("the lock '{}' can't be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(DataDirLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!("another process serves the data directory '{}'", self.0.display())
            }
            Err(TryLockError::Error(error)) => Err(error).context("the data directory can't be locked"),
        }
    }

    /// The name that the node of this directory has in the database: made once, and the same after every
    /// restart. Only the holder of the lock may ask.
    ///
    /// # Errors
    /// If it can't be read or written.
    pub fn node_name(&self, _lock: &DataDirLock) -> anyhow::Result<String> {
        let path = self.0.join("node");
        let read = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_node_name(&path),
            read => read,
        };
        read.with_context(|| format!("the node's name in '{}' can't be read or written", path.display()))
    }

    fn make_node_name(&self, path: &Path) -> io::Result<String> {
        let name = format!("node_{}", Uuid::now_v7().simple());
        let fresh = self.0.join("node.new");
        fs::write(&fresh, &name)?;
        File::open(&fresh)?.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(&self.0)?.sync_all()?;
        Ok(name)
    }
}
