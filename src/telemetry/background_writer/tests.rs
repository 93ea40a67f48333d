#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Read as _, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;

use super::BackgroundWriter;

/// An output whose reader takes one piece each time that it is told to.
struct Slow {
    takes: Receiver<io::Result<()>>,
    taken: Arc<Mutex<String>>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.takes.recv().map_err(io::Error::other)??;
        self.taken.lock().push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn slow(most_bytes: usize) -> (BackgroundWriter, Sender<io::Result<()>>, Arc<Mutex<String>>) {
    let (take, takes) = channel();
    let taken = Arc::new(Mutex::default());
    let output = Slow { takes, taken: Arc::clone(&taken) };
    let writer = BackgroundWriter::start("test-output", output, most_bytes).unwrap();
    writer.tell_gaps(|lines| format!("{lines} are missing\n").into_bytes());
    (writer, take, taken)
}

/// Writes lines until one has no room; how many were taken.
fn fill(writer: &mut BackgroundWriter) -> usize {
    (0..100).take_while(|_| writer.write_all(b"line\n").is_ok()).count()
}

#[test]
fn a_reader_that_stands_still_holds_nobody_up_and_is_told_how_much_it_missed() {
    let (mut writer, take, taken) = slow(20);
    let kept = fill(&mut writer);
    assert!((4..100).contains(&kept), "{kept}");
    assert_eq!(writer.write_all(b"last\n").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::TimedOut, "bounded");
    for _ in 0..10 {
        take.send(Ok(())).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(*taken.lock(), format!("{}2 are missing\n", "line\n".repeat(kept)));
}

#[test]
fn what_an_output_did_not_take_is_missing_once_it_takes_again() {
    let (mut writer, take, taken) = slow(1000);
    writer.write_all(b"lost\n").unwrap();
    take.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
    take.send(Ok(())).unwrap();
    writer.flush().unwrap();
    writer.write_all(b"there\n").unwrap();
    take.send(Ok(())).unwrap();
    writer.flush().unwrap();
    assert_eq!(*taken.lock(), "1 are missing\nthere\n");
}

#[test]
fn all_lines_of_all_threads_are_there_after_a_flush() {
    let (mut reader, pipe) = io::pipe().unwrap();
    let mut writer = BackgroundWriter::start("test-output", pipe, 1 << 20).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let mut writer = writer.clone();
            scope.spawn(move || {
                for line in 0..100 {
                    writer.write_all(format!("{thread}.{line}\n").as_bytes()).unwrap();
                }
            });
        }
    });
    writer.flush().unwrap();
    let mut bytes = vec![0; 4 * (10 * 4 + 90 * 5)];
    reader.read_exact(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    for thread in 0..4 {
        let own: Vec<_> = text.lines().filter(|line| line.starts_with(&format!("{thread}."))).collect();
        assert_eq!(own, (0..100).map(|line| format!("{thread}.{line}")).collect::<Vec<_>>(), "in order");
    }
}
