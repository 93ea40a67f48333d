//! Room on the disk of an SQLite database that is kept for deletions: a file beside it, which is given up when a deletion
//! finds no room, and made again after it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate};
use tokio::time::Instant;

/// How long after it was last made, looked for or given up a reserve is looked for again, except after a deletion.
const PAUSE: Duration = Duration::from_secs(10);

/// A file of that size, if there is room for it. One process holds it, the server; those that work beside it may give it
/// up, and it is made again.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    /// None where this process does not hold it. It stays locked while the file is made or removed.
    held: Mutex<Option<Held>>,
}

/// What the process that holds the reserve last saw of it.
#[derive(Debug)]
struct Held {
    is_missing: bool,
    looked: Instant,
}

impl Reserve {
    /// The reserve beside that database, which this process does not hold yet.
    pub(super) fn beside(database: &Path, bytes: usize) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-reserve");
        Self { path: path.into(), bytes: bytes as u64, held: Mutex::new(None) }
    }

    /// Makes the file, unless it is there, and holds it from now on. Where not all of it can be made, there is none of it,
    /// and the log says so.
    pub(super) fn hold(&self) {
        let mut held = self.held.lock();
        let held = held.get_or_insert(Held { is_missing: false, looked: Instant::now() });
        self.make_again(held);
    }

    /// Makes the file again after a deletion, if this process holds it.
    pub(super) fn hold_after_deletion(&self) {
        if let Some(held) = self.held.lock().as_mut() {
            self.make_again(held);
        }
    }

    /// Makes the file again if this process holds it, and another one gave it up or it could not be made a while ago.
    pub(super) fn hold_again(&self) {
        self.hold_again_at(Instant::now());
    }

    fn hold_again_at(&self, now: Instant) {
        // Whoever has the lock looks already.
        let Some(mut held) = self.held.try_lock() else { return };
        if let Some(held) = held.as_mut().filter(|held| now.saturating_duration_since(held.looked) >= PAUSE) {
            self.make_again(held);
        }
    }

    fn make_again(&self, held: &mut Held) {
        let made = self.make();
        match (&made, held.is_missing) {
            (Err(error), false) if has_no_room(error) => {
                tracing::warn!(error = %error, "there is no room for the database's reserve");
            }
            (Err(error), false) => tracing::warn!(error = %error, "the database's reserve can't be made"),
            (Ok(()), true) => tracing::info!("there is room for the database's reserve again"),
            (Err(_), true) | (Ok(()), false) => {}
        }
        *held = Held { is_missing: made.is_err(), looked: Instant::now() };
    }

    fn make(&self) -> io::Result<()> {
        if self.bytes == 0 || fs::metadata(&self.path).is_ok_and(|file| file.len() == self.bytes) {
            return Ok(());
        }
        let made = self.create().and_then(|mut file| match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Err(error) if can_not_allocate(error) => fill(&mut file, self.bytes),
            allocated => Ok(allocated?),
        });
        if made.is_err() {
            // What could not be made is not to take room; why it could not be is the error to report.
            self.remove().ok();
        }
        made
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
        let mut held = self.held.lock();
        if let Some(held) = held.as_mut() {
            // Until the deletion is done nobody takes its room.
            held.looked = Instant::now();
        }
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

/// Whether a file system has no way to take room for a file before it is written: some of those on a network, for
/// example.
fn can_not_allocate(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    [Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS].contains(&error)
}

/// Takes the room by writing it, down to the disk: a file system on a network says only then that there is none.
fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), bytes), file)?;
    file.flush()?;
    file.sync_all()
}

/// Whether a file could not grow because the disk, a quota or a limit of the process has no room for more.
pub(super) fn has_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::{PAUSE, Reserve, can_not_allocate, fill, has_no_room};
    use rustix::io::Errno;
    use std::fs::{self, File};
    use std::io;
    use std::path::PathBuf;
    use std::time::Duration;
    use tokio::time::Instant;

    const BYTES: usize = 1 << 16;

    /// A folder, which is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("reserve-{}", uuid::Uuid::now_v7()));
            fs::create_dir(&folder).expect("a folder");
            Self(folder)
        }

        fn reserve(&self) -> Reserve {
            Reserve::beside(&self.0.join("antiphon.db"), BYTES)
        }

        fn file(&self) -> PathBuf {
            self.0.join("antiphon.db-reserve")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).expect("a folder");
        }
    }

    /// Whether the file has all of its blocks.
    fn takes_its_room(file: &fs::Metadata) -> bool {
        file.len() == BYTES as u64 && std::os::unix::fs::MetadataExt::blocks(file) * 512 >= BYTES as u64
    }

    #[test]
    fn the_reserve_takes_its_room_until_it_is_given_up() {
        let folder = Folder::new();
        let reserve = folder.reserve();
        reserve.hold();
        assert!(takes_its_room(&fs::metadata(folder.file()).expect("a file")));
        reserve.hold();
        reserve.release();
        reserve.release();
        assert!(!folder.file().exists());
    }

    #[test]
    fn the_one_that_holds_the_reserve_makes_it_again_and_others_only_give_it_up() {
        let folder = Folder::new();
        let (server, command) = (folder.reserve(), folder.reserve());
        server.hold();
        command.release();
        command.hold_after_deletion();
        command.hold_again_at(Instant::now() + PAUSE);
        assert!(!folder.file().exists(), "a command leaves it to the server");
        server.hold_again_at(Instant::now());
        assert!(!folder.file().exists(), "not at once: the command may need the room");
        server.hold_again_at(Instant::now() + PAUSE);
        assert!(folder.file().exists());
        let before = Instant::now();
        server.release();
        server.hold_again_at(before + PAUSE - Duration::from_nanos(1));
        assert!(!folder.file().exists(), "its own deletion has the room");
        server.hold_after_deletion();
        assert!(folder.file().exists());
    }

    #[test]
    fn where_room_can_not_be_allocated_it_is_taken_by_writing() {
        let folder = Folder::new();
        let mut file = File::create(folder.file()).expect("a file");
        fill(&mut file, BYTES as u64).expect("room");
        assert!(takes_its_room(&fs::metadata(folder.file()).expect("a file")));
        assert!(
            can_not_allocate(Errno::OPNOTSUPP) && can_not_allocate(Errno::NOSYS) && !can_not_allocate(Errno::NOSPC)
        );
        let no_room = [Errno::NOSPC, Errno::DQUOT, Errno::FBIG].map(io::Error::from);
        assert!(no_room.iter().all(has_no_room) && !has_no_room(&Errno::ACCESS.into()), "{no_room:?}");
    }
}
