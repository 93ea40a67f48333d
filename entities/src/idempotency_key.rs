//! The response of each idempotency key, which a repeated request attaches to.

use sea_orm::entity::prelude::*;

/// A key that a response has claimed. It outlives the response, so that a late repetition is not a new request.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// The user whose key it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// A keyed digest of user and key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    /// The response, which may be deleted.
    pub response: String,
    /// A keyed digest of the request's body.
    pub fingerprint: Vec<u8>,
    /// Whether the response can be read: false for one that is not stored, and once it is deleted.
    pub kept: bool,
    /// When it was claimed.
    pub created_at: i64,
}

/// None: the rows are joined by hand where that is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
