//! Room on the disk of an SQLite database that is kept for deletions: a file beside it, which is given up when a deletion
//! finds no room, and made again after it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate};
use tokio::time::Instant;

/// How long a reserve that found no room is not tried again, except after a deletion.
const PAUSE: Duration = Duration::from_secs(10);

/// A file of that size, if there is room for it.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    /// When it was found that there is no room for it; none where it is held.
    missing_since: Mutex<Option<Instant>>,
}

impl Reserve {
    /// The reserve beside that database.
    pub(super) fn beside(database: &Path, bytes: usize) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-reserve");
        Self { path: path.into(), bytes: bytes as u64, missing_since: Mutex::new(None) }
    }

    /// Makes the file, unless it is there. Where there is no room for all of it, there is none of it, and the log says so.
    pub(super) fn hold(&self) {
        let made = self.make();
        let mut missing_since = self.missing_since.lock();
        match (&made, *missing_since) {
            (Err(error), None) => tracing::warn!(error = %error, "there is no room for the database's reserve"),
            (Ok(()), Some(_)) => tracing::info!("there is room for the database's reserve again"),
            (Err(_), Some(_)) | (Ok(()), None) => {}
        }
        *missing_since = made.is_err().then(Instant::now);
    }

    /// Makes the file, if it could not be made a while ago.
    pub(super) fn hold_again(&self) {
        let is_due = self.missing_since.lock().is_some_and(|since| since.elapsed() >= PAUSE);
        if is_due {
            self.hold();
        }
    }

    fn make(&self) -> io::Result<()> {
        if self.bytes == 0 || fs::metadata(&self.path).is_ok_and(|file| file.len() == self.bytes) {
            return Ok(());
        }
        let held = self.create().and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, self.bytes)?));
        if held.is_err() {
            // What could not be made is not to take room; why it could not be is the error to report.
            self.remove().ok();
        }
        held
    }

    fn create(&self) -> io::Result<File> {
        let mut file = OpenOptions::new();
        file.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        file.open(&self.path)
    }

    /// Gives the room up, for a deletion.
    pub(super) fn release(&self) {
        if let Err(error) = self.remove() {
            tracing::warn!(error = %error, "the database's reserve can't be given up");
        }
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::Reserve;
    use std::fs;

    #[test]
    fn the_reserve_takes_its_room_until_it_is_given_up() {
        let folder = std::env::temp_dir().join(format!("reserve-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).expect("a folder");
        let reserve = Reserve::beside(&folder.join("antiphon.db"), 1 << 16);
        reserve.hold();
        let file = fs::metadata(folder.join("antiphon.db-reserve")).expect("a file");
        assert_eq!(file.len(), 1 << 16);
        assert!(std::os::unix::fs::MetadataExt::blocks(&file) * 512 >= 1 << 16, "its room is taken");
        reserve.hold();
        reserve.release();
        reserve.release();
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
        fs::remove_dir(&folder).expect("empty");
    }
}
