//! The ordered migrations of Antiphon's database. They run on SQLite and on PostgreSQL.

use sea_orm_migration::prelude::*;

mod m20261121_000001_accounts;
mod m20261121_000002_responses;
mod m20261121_000003_usage_records;
mod m20261121_000004_terminal_status;
mod m20261121_000005_assistant_messages;
mod m20261121_000006_leases;
mod m20261121_000007_idempotency_keys;
mod m20261130_000008_facts_version_2;
mod m20261130_000009_set_aside;
mod m20261130_000010_deleted_users;
mod m20261130_000011_retry_wanted;

pub use sea_orm_migration::MigratorTrait;

/// All migrations, first to last.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_accounts::Migration),
            Box::new(m20261121_000002_responses::Migration),
            Box::new(m20261121_000003_usage_records::Migration),
            Box::new(m20261121_000004_terminal_status::Migration),
            Box::new(m20261121_000005_assistant_messages::Migration),
            Box::new(m20261121_000006_leases::Migration),
            Box::new(m20261121_000007_idempotency_keys::Migration),
            Box::new(m20261130_000008_facts_version_2::Migration),
            Box::new(m20261130_000009_set_aside::Migration),
            Box::new(m20261130_000010_deleted_users::Migration),
            Box::new(m20261130_000011_retry_wanted::Migration),
        ]
    }
}
