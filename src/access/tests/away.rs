//! Accounts whose database is away.

use async_trait::async_trait;

use crate::access::{Accounts, ApiKeyRecord, Error, UserRecord, WrappedKey};
use crate::domain::Timestamp;
use crate::protocol::UserId;
use crate::store;

#[derive(Debug)]
pub(super) struct Away;

fn away<T>() -> Result<T, Error> {
    Err(Error::Store(store::Error::Unavailable("away".into())))
}

#[async_trait]
impl Accounts for Away {
    async fn create_user(&self, _: UserRecord, _: WrappedKey) -> Result<(), Error> {
        away()
    }

    async fn users(&self) -> Result<Vec<UserRecord>, Error> {
        away()
    }

    async fn delete_user(&self, _: UserId) -> Result<bool, Error> {
        away()
    }

    async fn create_api_key(&self, _: ApiKeyRecord) -> Result<(), Error> {
        away()
    }

    async fn api_key(&self, _: &str) -> Result<Option<ApiKeyRecord>, Error> {
        away()
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, Error> {
        away()
    }

    async fn revoke_api_key(&self, _: &str, _: Timestamp) -> Result<bool, Error> {
        away()
    }

    async fn data_key(&self, _: UserId) -> Result<Option<WrappedKey>, Error> {
        away()
    }

    async fn data_keys(&self) -> Result<Vec<(UserId, WrappedKey)>, Error> {
        away()
    }

    async fn rewrap_data_key(&self, _: UserId, _: &WrappedKey, _: WrappedKey) -> Result<bool, Error> {
        away()
    }
}
