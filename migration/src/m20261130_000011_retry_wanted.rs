//! When somebody last asked that a response which is set aside is tried again.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("retry_wanted_at").big_integer().null().to_owned();
        manager.alter_table(Table::alter().table("responses").add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("responses").drop_column("retry_wanted_at").to_owned()).await
    }
}
