//! Responses: one row each, from admission on.

use sea_orm::entity::prelude::*;

/// A response's plain columns and the encrypted text of its answer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "responses")]
pub struct Model {
    /// The response's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uuid: String,
    /// The user whose response it is.
    pub user_id: String,
    /// The node that owns it.
    pub node: String,
    /// The owner's epoch.
    pub epoch: i64,
    /// Its status. A terminal status never changes.
    pub status: String,
    /// Why it did not complete.
    pub cause: Option<String>,
    /// The provider's finish reason, or `cancelled`.
    pub finish_reason: Option<String>,
    /// The model that was asked for.
    pub model: String,
    /// Whether its content is kept.
    pub stored: bool,
    /// Whether it runs in the background, without a client.
    pub background: bool,
    /// The response that it continues, which may be deleted.
    pub previous: Option<String>,
    /// The version of the fold that its log was written for.
    pub fold_version: i16,
    /// Tokens of its prompt.
    pub prompt_tokens: i64,
    /// When it was accepted.
    pub created_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// The encrypted text of the answer.
    pub content_enc: Option<Vec<u8>>,
    /// Since when nobody could settle or resume it. Means nothing once it has ended.
    pub set_aside_at: Option<i64>,
    /// Why.
    pub set_aside_reason: Option<String>,
    /// When somebody last asked that it is tried again while it is set aside.
    pub retry_wanted_at: Option<i64>,
}

/// None: the rows are joined by hand where that is needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
