//! Whether the file of a database is still the one that was opened. SQLite does not look: where it was removed or
//! replaced, the connections go on in a file without a name, and all that they write is gone with them.

use std::{
    fs::{self, Metadata, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use super::reserve::has_no_room;
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

    /// Whether a file beside it that is as long as the longest of the database's can't have one page more for want of room:
    /// on the disk, of a quota or of a limit of the process.
    pub(super) fn has_no_room_to_grow(&self) -> bool {
        let probe = self.beside("-probe");
        let grown = self.grow(&probe);
        // It is as good as empty, and the next time the same file.
        fs::remove_file(&probe).ok();
        grown.is_err_and(|error| has_no_room(&error))
    }

    fn grow(&self, probe: &Path) -> io::Result<()> {
        const PAGE: [u8; 4096] = [0; 4096];
        let lengths = [self.path.clone(), self.beside("-wal")].map(|file| fs::metadata(file).map(|file| file.len()));
        let longest = lengths.into_iter().flatten().max().unwrap_or_default();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(probe)?;
        file.seek(SeekFrom::Start(longest))?;
        file.write_all(&PAGE)?;
        file.sync_all()
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.as_os_str().to_owned();
        path.push(ending);
        path.into()
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

    #[test]
    fn a_file_that_can_grow_or_can_not_for_another_reason_does_not_lack_room() {
        let folder = std::env::temp_dir().join(format!("grown-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("antiphon.db");
        fs::write(&path, "pages").unwrap();
        let file = OpenedFile::at(&path).unwrap();
        assert!(!file.has_no_room_to_grow());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing of the look is left");
        fs::remove_dir_all(&folder).unwrap();
        assert!(!file.has_no_room_to_grow());
    }
}
