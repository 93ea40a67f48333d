//! A view of the assistant's messages, for people who look into the database.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &str = "
CREATE VIEW assistant_messages AS
SELECT uuid,
       CASE WHEN status = 'completed' THEN 'completed'
            WHEN status IN ('queued', 'in_progress') THEN 'in_progress'
            ELSE 'incomplete'
       END AS status,
       finish_reason,
       content_enc,
       created_at
FROM responses
WHERE stored";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(UP).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP VIEW assistant_messages").await.map(drop)
    }
}
