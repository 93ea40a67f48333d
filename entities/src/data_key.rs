//! The data keys of users, which their content is encrypted with. The table is `user_keys`.

use sea_orm::entity::prelude::*;

/// A user's data key, wrapped by a key-encryption key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_keys")]
pub struct Model {
    /// The user whose key it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// The version of the key-encryption key.
    pub key_version: i64,
    /// The wrapped key.
    pub bytes: Vec<u8>,
}

/// None: the rows are joined by hand where that is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
