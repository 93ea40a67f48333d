//! The port to whatever knows the principals.

use std::fmt;

use async_trait::async_trait;

use crate::access::{AuthError, Authenticator, Principal};

/// Tells who sends a request, by its bearer token.
#[async_trait]
pub trait Authenticate: fmt::Debug + Send + Sync + 'static {
    /// The principal that a bearer token belongs to.
    async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError>;
}

#[async_trait]
impl Authenticate for Authenticator {
    async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError> {
        Authenticator::authenticate(self, bearer).await
    }
}
