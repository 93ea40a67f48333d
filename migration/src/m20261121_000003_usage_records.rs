//! Usage records. They have no foreign keys, because they outlive responses and users.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(usage_records()).await?;
        let of_user =
            Index::create().name("usage_records_user").table("usage_records").col("user_id").col("ended_at").to_owned();
        manager.create_index(of_user).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("usage_records").to_owned()).await
    }
}

fn usage_records() -> TableCreateStatement {
    const COUNTS: [&str; 6] =
        ["input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "total_tokens"];
    let mut table = Table::create();
    table
        .table("usage_records")
        .col(ColumnDef::new("response").text().not_null())
        .col(ColumnDef::new("turn").integer().not_null())
        .col(ColumnDef::new("user_id").text().not_null())
        .col(ColumnDef::new("provider").text().not_null())
        .col(ColumnDef::new("model").text().not_null());
    for count in COUNTS {
        table.col(ColumnDef::new(count).big_integer().not_null().check(Expr::col(count).gte(0)));
    }
    table
        .col(ColumnDef::new("estimated").boolean().not_null())
        .col(ColumnDef::new("ended_at").big_integer().not_null())
        .primary_key(Index::create().col("response").col("turn"))
        .to_owned()
}
