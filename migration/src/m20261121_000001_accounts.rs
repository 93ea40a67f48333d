//! Users, their data keys, their API keys.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(users()).await?;
        manager.create_table(user_keys()).await?;
        manager.create_table(api_keys()).await?;
        let of_user = Index::create().name("api_keys_user").table("api_keys").col("user_id").to_owned();
        manager.create_index(of_user).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["api_keys", "user_keys", "users"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(ColumnDef::new("id").text().not_null().primary_key())
        .col(ColumnDef::new("name").text().not_null().unique_key())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .to_owned()
}

fn user_keys() -> TableCreateStatement {
    Table::create()
        .table("user_keys")
        .col(ColumnDef::new("user_id").text().not_null().primary_key())
        .col(ColumnDef::new("key_version").big_integer().not_null())
        .col(ColumnDef::new("bytes").blob().not_null())
        .foreign_key(&mut goes_with_user("user_keys"))
        .to_owned()
}

fn api_keys() -> TableCreateStatement {
    Table::create()
        .table("api_keys")
        .col(ColumnDef::new("id").text().not_null().primary_key())
        .col(ColumnDef::new("user_id").text().not_null())
        .col(ColumnDef::new("name").text().not_null())
        .col(ColumnDef::new("hash").blob().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("revoked_at").big_integer().null())
        .foreign_key(&mut goes_with_user("api_keys"))
        .to_owned()
}

fn goes_with_user(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, "user_id").to("users", "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}
