//! What to do about errors of the vault and its key ring.

use std::path::Path;

use super::{RingError, accounts, vault};

pub(super) fn for_vault(error: &vault::Error) -> String {
    match error {
        vault::Error::Tampered | vault::Error::UnknownKeyVersion(_) => {
            "use the key ring that this database was written with, in its newest version; after a rotation every \
             server needs the new one."
                .to_owned()
        }
        vault::Error::TooLarge { .. } => "report it: no command has that much to encrypt.".to_owned(),
        vault::Error::NoDataKey(_) => {
            "the user has been deleted meanwhile; `antiphon users list` shows who is there.".to_owned()
        }
        vault::Error::Randomness => for_randomness(),
        vault::Error::Ring(error) => for_ring(error),
        vault::Error::Accounts(error) => accounts::for_accounts(error),
    }
}

pub(super) fn for_ring(error: &RingError) -> String {
    let key_file =
        |path: &Path| format!("chmod 600 '{}', and see that it belongs to the server's user.", path.display());
    match error {
        RingError::Exposed { path, .. } => key_file(path),
        RingError::Missing(path) | RingError::File { path, .. } => format!(
            "see that '{}' is there and that this user may read it, or say with vault.key_file where it is.",
            path.display()
        ),
        RingError::Variable(name) => format!("set {name}, or choose another place of the key ring in [vault]."),
        RingError::Command(_) | RingError::CommandStatus(_) | RingError::CommandTimeout => {
            "run vault.key_command by hand as the server's user: it has to print the key ring.".to_owned()
        }
        RingError::Syntax { .. } | RingError::NoCurrent(_) => {
            "restore the key ring from its backup; it is changed by `antiphon vault rotate` alone.".to_owned()
        }
        RingError::Interrupted => "try again; nothing was changed.".to_owned(),
        RingError::Full => {
            "the ring has a key of the highest version that there can be (4294967295): use the ring from before that \
             key was added by hand, from its backup."
                .to_owned()
        }
        RingError::Randomness => for_randomness(),
    }
}

pub(super) fn for_randomness() -> String {
    "see that this process may ask the system for random bytes (getrandom), which a sandbox can forbid; then try again."
        .to_owned()
}
