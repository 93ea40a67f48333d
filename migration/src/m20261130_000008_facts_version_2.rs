//! Marks the database: from here on, logs have segments of version 2.
//!
//! No table changes. A program from before can't read such segments, and would end running responses without their
//! logs; it refuses to open a database that has a migration it does not know.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("segments of version 2 can't be made ones of version 1".to_owned()))
    }
}
