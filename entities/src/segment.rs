//! The logs of responses.

use sea_orm::entity::prelude::*;

/// A segment of a log; it is deleted with its response.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segments")]
pub struct Model {
    /// The response.
    #[sea_orm(primary_key, auto_increment = false)]
    pub response: String,
    /// The number of the segment's first fact.
    #[sea_orm(primary_key, auto_increment = false)]
    pub first_fact: i64,
    /// How many facts it holds.
    pub fact_count: i64,
    /// The ciphertext.
    pub bytes: Vec<u8>,
}

/// None: the rows are joined by hand where that is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
