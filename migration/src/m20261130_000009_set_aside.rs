//! Responses that can be neither settled nor resumed for now: since when, and why.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One statement each: SQLite adds one column at a time.
        for column in [
            ColumnDef::new("set_aside_at").big_integer().null().to_owned(),
            ColumnDef::new("set_aside_reason").text().null().to_owned(),
        ] {
            manager.alter_table(Table::alter().table("responses").add_column(column).to_owned()).await?;
        }
        // A partial index: it holds only the responses that were set aside.
        let set_aside = "CREATE INDEX responses_set_aside ON responses (set_aside_at) WHERE set_aside_at IS NOT NULL";
        manager.get_connection().execute_unprepared(set_aside).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX responses_set_aside").await?;
        for column in ["set_aside_at", "set_aside_reason"] {
            manager.alter_table(Table::alter().table("responses").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
