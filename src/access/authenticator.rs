//! From a bearer token to a principal.

use std::sync::Arc;

use super::api_key;
use crate::protocol::UserId;
use crate::store::{AccountError, AccountStore};
use crate::vault::Pepper;

/// Authenticates requests.
///
/// The key is looked up each time: a revoked one is refused from the next request on. There is no switch
/// that lets a request pass without one.
#[derive(Debug, Clone)]
pub struct Authenticator {
    accounts: Arc<dyn AccountStore>,
    pepper: Pepper,
}

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user who owns the key.
    pub user: UserId,
    /// The public id of the key.
    pub key_id: String,
}

/// Why a request could not be authenticated.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// There is no such key, or it was revoked; the error does not say which.
    #[error("the API key is not valid")]
    InvalidKey,
    /// The key could not be looked up; it may be valid.
    #[error("the API key could not be looked up")]
    Unavailable(#[source] AccountError),
}

impl Authenticator {
    /// An authenticator over these accounts.
    #[must_use]
    pub fn new(accounts: Arc<dyn AccountStore>, pepper: Pepper) -> Self {
        Self { accounts, pepper }
    }

    /// The principal of a bearer token (what follows `Bearer ` in the header).
    ///
    /// # Errors
    /// [`AuthError::InvalidKey`] (401), [`AuthError::Unavailable`] (503).
    pub async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError> {
        let (id, secret) = api_key::split(bearer).ok_or(AuthError::InvalidKey)?;
        let key = self.accounts.api_key(id).await.map_err(AuthError::Unavailable)?.ok_or(AuthError::InvalidKey)?;
        if !self.pepper.verify(secret.as_bytes(), &key.hash) || key.revoked_at.is_some() {
            return Err(AuthError::InvalidKey);
        }
        Ok(Principal { user: key.user, key_id: key.id })
    }
}
