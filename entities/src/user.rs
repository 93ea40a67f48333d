//! The users of the server.

use sea_orm::entity::prelude::*;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// The user's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The user's name, unique.
    pub name: String,
    /// When it was added.
    pub created_at: i64,
    /// Since when it is being deleted.
    pub deleted_at: Option<i64>,
}

/// None: the rows are joined by hand where that is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
