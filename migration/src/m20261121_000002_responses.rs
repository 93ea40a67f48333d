//! Nodes, responses, their items and their logs.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(nodes()).await?;
        manager.create_table(responses()).await?;
        manager.create_table(items()).await?;
        manager.create_table(segments()).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        // A partial index: it holds only the responses that have not ended.
        let unsettled = "CREATE INDEX responses_unsettled ON responses (node, epoch) \
                         WHERE status IN ('queued', 'in_progress')";
        manager.get_connection().execute_unprepared(unsettled).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["segments", "items", "responses", "nodes"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn nodes() -> TableCreateStatement {
    Table::create()
        .table("nodes")
        .col(ColumnDef::new("node").text().not_null().primary_key())
        .col(ColumnDef::new("epoch").big_integer().not_null().unique_key())
        .to_owned()
}

fn responses() -> TableCreateStatement {
    const STATUSES: [&str; 6] = ["queued", "in_progress", "completed", "failed", "incomplete", "cancelled"];
    Table::create()
        .table("responses")
        .col(ColumnDef::new("uuid").text().not_null().primary_key())
        .col(ColumnDef::new("user_id").text().not_null())
        .col(ColumnDef::new("node").text().not_null())
        .col(ColumnDef::new("epoch").big_integer().not_null())
        .col(ColumnDef::new("status").text().not_null().check(Expr::col("status").is_in(STATUSES)))
        .col(ColumnDef::new("cause").text().null())
        .col(ColumnDef::new("finish_reason").text().null())
        .col(ColumnDef::new("model").text().not_null())
        .col(ColumnDef::new("stored").boolean().not_null())
        .col(ColumnDef::new("background").boolean().not_null())
        .col(ColumnDef::new("previous").text().null())
        .col(ColumnDef::new("fold_version").small_integer().not_null())
        .col(ColumnDef::new("prompt_tokens").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("ended_at").big_integer().null())
        .col(ColumnDef::new("content_enc").blob().null())
        .to_owned()
}

fn items() -> TableCreateStatement {
    Table::create()
        .table("items")
        .col(ColumnDef::new("response").text().not_null())
        .col(ColumnDef::new("side").text().not_null().check(Expr::col("side").is_in(["input", "output"])))
        .col(ColumnDef::new("position").big_integer().not_null().check(Expr::col("position").gte(0)))
        .col(ColumnDef::new("id").text().not_null())
        .col(ColumnDef::new("content").blob().not_null())
        .primary_key(Index::create().col("response").col("side").col("position"))
        .foreign_key(&mut goes_with_response("items"))
        .to_owned()
}

fn segments() -> TableCreateStatement {
    Table::create()
        .table("segments")
        .col(ColumnDef::new("response").text().not_null())
        .col(ColumnDef::new("first_fact").big_integer().not_null().check(Expr::col("first_fact").gte(0)))
        .col(ColumnDef::new("fact_count").big_integer().not_null().check(Expr::col("fact_count").gt(0)))
        .col(ColumnDef::new("bytes").blob().not_null())
        .primary_key(Index::create().col("response").col("first_fact"))
        .foreign_key(&mut goes_with_response("segments"))
        .to_owned()
}

fn goes_with_response(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, "response").to("responses", "uuid").on_delete(ForeignKeyAction::Cascade).to_owned()
}

fn indexes() -> [IndexCreateStatement; 3] {
    [
        Index::create().name("responses_created_at").table("responses").col("created_at").to_owned(),
        Index::create().name("responses_user").table("responses").col("user_id").to_owned(),
        Index::create().name("items_id").table("items").col("id").to_owned(),
    ]
}
