//! Fuzzes the target that `FUZZ_TARGET` names, when it is built by `fuzz/run`, and has the options of libFuzzer then. Built
//! otherwise, it runs that target once on each of the files that it is called with.
#![cfg_attr(fuzzing, no_main)]

use std::env;

use antiphon_fuzz::{FuzzTarget, TARGETS, target};

fn chosen() -> Result<&'static FuzzTarget, String> {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    target(&name).ok_or_else(|| format!("FUZZ_TARGET is {name:?}, and not one of {}", names()))
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static CHOSEN: std::sync::OnceLock<FuzzTarget> = std::sync::OnceLock::new();
    (CHOSEN.get_or_init(|| chosen().map_or_else(|error| panic!("{error}"), Clone::clone)).run)(bytes);
});

#[cfg(not(fuzzing))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let chosen = chosen()?;
    for file in env::args_os().skip(1) {
        (chosen.run)(&std::fs::read(file)?);
    }
    Ok(())
}
