//! The servers that write to this database.

use sea_orm::entity::prelude::*;

/// A node, its newest epoch and its lease.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "nodes")]
pub struct Model {
    /// The node's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub node: String,
    /// Its epoch, unique among all nodes.
    pub epoch: i64,
    /// When the node's lease ends, by the database's clock.
    pub lease_until: i64,
}

/// None: the rows are joined by hand where that is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
