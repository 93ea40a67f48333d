//! Whether the file of a database is still the one that was opened. SQLite does not look: where it was removed or
//! replaced, the connections go on in a file without a name, and all that they write is gone with them.

use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use antiphon_store::Error;

/// The file of a database, and which one it was when it was opened.
#[derive(Debug)]
pub(super) struct OpenedFile {
    path: PathBuf,
    identity: Identity,
}

type Identity = (u64, u64);

/// Another file is where the database was, or none.
#[derive(Debug, thiserror::Error)]
#[error("the database's file was removed or replaced")]
struct Moved;

impl OpenedFile {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(&fs::metadata(path)?) })
    }

    /// Whether it is still there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it isn't, or can't be looked at.
    pub(super) fn check(&self) -> Result<(), Error> {
        match fs::metadata(&self.path) {
            Ok(file) if identity(&file) == self.identity => Ok(()),
            Ok(_) => Err(Error::Unavailable(Box::new(Moved))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Unavailable(Box::new(Moved))),
            Err(error) => Err(Error::Unavailable(Box::new(error))),
        }
    }
}

fn identity(file: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_removed_or_replaced_is_not_the_one_that_was_opened() {
        let folder = std::env::temp_dir().join(format!("opened-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        let (path, aside) = (folder.join("antiphon.db"), folder.join("aside"));
        fs::write(&path, "one").unwrap();
        let file = OpenedFile::at(&path).unwrap();
        fs::write(&path, "changed").unwrap();
        file.check().unwrap();
        fs::rename(&path, &aside).unwrap();
        assert!(matches!(file.check(), Err(Error::Unavailable(_))));
        fs::write(&path, "two").unwrap();
        assert!(matches!(file.check(), Err(Error::Unavailable(_))));
        fs::rename(&aside, &path).unwrap();
        file.check().unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
