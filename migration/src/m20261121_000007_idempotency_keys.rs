//! Idempotency keys. They have no foreign key to their responses, because they outlive them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(idempotency_keys()).await?;
        let of_response =
            Index::create().name("idempotency_keys_response").table("idempotency_keys").col("response").to_owned();
        manager.create_index(of_response).await?;
        // A partial index: it holds only the keys that may expire.
        let loose = "CREATE INDEX idempotency_keys_loose ON idempotency_keys (created_at) WHERE NOT kept";
        manager.get_connection().execute_unprepared(loose).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("idempotency_keys").to_owned()).await
    }
}

fn idempotency_keys() -> TableCreateStatement {
    Table::create()
        .table("idempotency_keys")
        .col(ColumnDef::new("user_id").text().not_null())
        .col(ColumnDef::new("key").blob().not_null())
        .col(ColumnDef::new("response").text().not_null())
        .col(ColumnDef::new("fingerprint").blob().not_null())
        .col(ColumnDef::new("kept").boolean().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("user_id").col("key"))
        .to_owned()
}
