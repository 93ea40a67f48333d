//! The leases of nodes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let lease_until = ColumnDef::new("lease_until").big_integer().not_null().default(0).to_owned();
        manager.alter_table(Table::alter().table("nodes").add_column(lease_until).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("nodes").drop_column("lease_until").to_owned()).await
    }
}
