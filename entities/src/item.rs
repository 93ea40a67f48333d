//! The input and output items of responses.

use sea_orm::entity::prelude::*;

/// An item; it is deleted with its response.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "items")]
pub struct Model {
    /// The response.
    #[sea_orm(primary_key, auto_increment = false)]
    pub response: String,
    /// `input` or `output`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub side: String,
    /// Its position on that side, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// Its id, which clients may choose: not unique.
    pub id: String,
    /// The ciphertext of its JSON.
    pub content: Vec<u8>,
}

/// None: the rows are joined by hand where that is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
