//! Since when a user is being deleted.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("deleted_at").big_integer().null().to_owned();
        manager.alter_table(Table::alter().table("users").add_column(column).to_owned()).await?;
        // A partial index: it holds only the few users that are being deleted.
        let deleted = "CREATE INDEX users_deleted ON users (id) WHERE deleted_at IS NOT NULL";
        manager.get_connection().execute_unprepared(deleted).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("users_deleted").table("users").to_owned()).await?;
        manager.alter_table(Table::alter().table("users").drop_column("deleted_at").to_owned()).await
    }
}
