//! Secrets in files of their own.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use secrecy::SecretString;
use zeroize::Zeroizing;

/// The largest text that is read as a secret.
const MOST_BYTES: u64 = 64 * 1024;

/// The text of a file that only its owner may use, without the line break at its end.
///
/// # Errors
/// What is wrong with the file, without a quote of it.
pub(super) fn read(path: &Path) -> Result<SecretString, String> {
    let failed = |error: std::io::Error| format!("the file can't be read: {error}");
    // Reading a pipe could wait for ever.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err("this is not a file".to_owned());
    }
    let file = File::open(path).map_err(failed)?;
    check_mode(&file.metadata().map_err(failed)?)?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if read as u64 > MOST_BYTES {
        return Err(format!("the file has more than {MOST_BYTES} bytes"));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() { Err("the file is empty".to_owned()) } else { Ok(text.into()) }
}

/// Checks a file of secrets that need not be there yet: if it is, only its owner may have access.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_if_there(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err("this is not a file".to_owned()),
        Ok(found) => check_mode(&found),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("the file can't be read: {error}")),
    }
}

fn check_mode(found: &Metadata) -> Result<(), String> {
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("the file has mode {mode:04o}; only its owner may have access (chmod 600)"))
}
