//! Every target over its corpus: what was found by fuzzing stays mended.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says on what"
)]

use std::path::{Path, PathBuf};

use antiphon_fuzz::TARGETS;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    // What the clients of a recorded answer get stands beside it.
    files.retain(|file| file.extension().is_none_or(|extension| extension != "sse"));
    files.sort();
    files
}

#[test]
fn what_must_hold_of_any_bytes_holds_of_the_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for target in TARGETS {
        (target.run)(b"");
        let folders = [format!("fuzz/corpus/{}", target.name)];
        for folder in folders.iter().map(String::as_str).chain(target.seeds.iter().copied()) {
            for file in files(&root.join(folder)) {
                println!("{} {}", target.name, file.display());
                (target.run)(&std::fs::read(file).unwrap());
            }
        }
    }
}
