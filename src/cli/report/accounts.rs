//! What to do about errors of users and keys.

use super::{access, for_database, vaults};
use crate::store::AccountError;

pub(super) fn for_service(error: &access::ServiceError) -> String {
    match error {
        access::ServiceError::InvalidName => {
            "choose another name; one with blanks or signs of the shell goes in quotes.".to_owned()
        }
        access::ServiceError::Vault(error) => vaults::for_vault(error),
        access::ServiceError::Accounts(error) => for_accounts(error),
        access::ServiceError::Randomness => vaults::for_randomness(),
    }
}

pub(super) fn for_accounts(error: &AccountError) -> String {
    match error {
        AccountError::NameTaken => "choose another name; `antiphon users list` shows those that are taken.".to_owned(),
        AccountError::UnknownUser => {
            "`antiphon users list` shows names and ids; `antiphon users create NAME` adds a user.".to_owned()
        }
        AccountError::Store(error) => for_database(error),
    }
}
