//! A trigger that makes the database refuse to change a terminal status.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &str = "
CREATE TRIGGER responses_terminal_status BEFORE UPDATE OF status ON responses
WHEN OLD.status IN ('completed', 'failed', 'incomplete', 'cancelled') AND NEW.status <> OLD.status
BEGIN
    SELECT RAISE(ABORT, 'a terminal status never changes');
END";

const SQLITE_DOWN: &str = "DROP TRIGGER responses_terminal_status";

const POSTGRES_UP: &str = "
CREATE FUNCTION responses_refuse_terminal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a terminal status never changes' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER responses_terminal_status BEFORE UPDATE OF status ON responses FOR EACH ROW
WHEN (OLD.status IN ('completed', 'failed', 'incomplete', 'cancelled') AND NEW.status <> OLD.status)
EXECUTE FUNCTION responses_refuse_terminal_change()";

const POSTGRES_DOWN: &str = "
DROP TRIGGER responses_terminal_status ON responses;
DROP FUNCTION responses_refuse_terminal_change()";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_UP, POSTGRES_UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, POSTGRES_DOWN).await
    }
}

async fn run(manager: &SchemaManager<'_>, sqlite: &str, postgres: &str) -> Result<(), DbErr> {
    let sql = if manager.get_database_backend() == DbBackend::Postgres { postgres } else { sqlite };
    manager.get_connection().execute_unprepared(sql).await.map(drop)
}
