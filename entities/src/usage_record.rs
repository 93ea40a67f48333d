//! Usage records, for accounting. They outlive responses and users.

use sea_orm::entity::prelude::*;

/// What one turn of a response used.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_records")]
pub struct Model {
    /// The response, which may be deleted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub response: String,
    /// The turn, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub turn: i32,
    /// The user whose response it was; the user may be deleted.
    pub user_id: String,
    /// The provider that was called.
    pub provider: String,
    /// The model, as the client named it.
    pub model: String,
    /// Tokens of the prompt.
    pub input_tokens: i64,
    /// Of these, read from the provider's cache.
    pub cached_tokens: i64,
    /// Of these, written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Tokens of the output.
    pub output_tokens: i64,
    /// Of these, spent on reasoning.
    pub reasoning_tokens: i64,
    /// The provider's own total.
    pub total_tokens: i64,
    /// Whether this server estimated them.
    pub estimated: bool,
    /// When the response ended.
    pub ended_at: i64,
}

/// None: the rows are joined by hand where that is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
