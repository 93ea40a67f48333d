//! `antiphon users`.

use std::io::Write;

use anyhow::Context as _;

use super::args::UsersCommand;
use super::command_context::CommandContext;
use super::time::rfc3339;
use crate::clock::{Clock as _, SystemClock};
use crate::store::{AccountError, AccountStore as _};

pub(super) async fn run(context: &CommandContext, command: &UsersCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        UsersCommand::Create { name } => {
            let user = context.service.create_user(name, SystemClock.now()).await?;
            writeln!(out, "{}", user.id)?;
        }
        UsersCommand::List => {
            for user in context.store.users().await? {
                writeln!(out, "{}  {}  {}", user.id, rfc3339(user.created_at), user.name)?;
            }
        }
        UsersCommand::Delete { user } => delete(context, user, out).await?,
    }
    Ok(())
}

async fn delete(context: &CommandContext, name_or_id: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let named = || format!("user '{name_or_id}'");
    let user = context.service.find_user(name_or_id).await.with_context(named)?;
    if !context.service.delete_user(user.id).await? {
        // Somebody else has just done the same.
        return Err(AccountError::UnknownUser).with_context(named);
    }
    Ok(writeln!(out, "{} ({}) is deleted", user.id, user.name)?)
}
