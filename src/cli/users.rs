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
                let mark = if user.deleted_at.is_some() { "  (being deleted)" } else { "" };
                writeln!(out, "{}  {}  {}{mark}", user.id, rfc3339(user.created_at), user.name)?;
            }
        }
        UsersCommand::Delete { user } => delete(context, user, out).await?,
    }
    Ok(())
}

async fn delete(context: &CommandContext, name_or_id: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let named = || format!("user '{name_or_id}'");
    let user = context.service.find_user(name_or_id).await.with_context(named)?;
    let waits_for = |live| {
        // Said for those who watch; what can't be written is said again at the end.
        let _closed = writeln!(out, "waiting for {live} responses of the user to be ended by their servers")
            .and_then(|()| out.flush());
    };
    if !context.service.delete_user(user.id, SystemClock.now(), waits_for).await? {
        // Somebody else has just done the same.
        return Err(AccountError::UnknownUser).with_context(named);
    }
    Ok(writeln!(out, "{} ({}) is deleted", user.id, user.name)?)
}
