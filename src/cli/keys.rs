//! `antiphon keys`.

use std::collections::HashMap;
use std::io::Write;

use super::StartupError;
use super::args::KeysCommand;
use super::command_context::CommandContext;
use super::time::rfc3339;
use crate::clock::{Clock as _, SystemClock};
use crate::store::AccountStore as _;

pub(super) async fn run(context: &CommandContext, command: &KeysCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        KeysCommand::Create { name, user } => create(context, name, user, out).await,
        KeysCommand::List => list(context, out).await,
        KeysCommand::Revoke { id } => revoke(context, id, out).await,
    }
}

async fn create(context: &CommandContext, name: &str, user: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let user = context.user(user).await?;
    let key = context.service.create_key(user.id, name, SystemClock.now()).await?;
    Ok(writeln!(out, "{}", key.expose())?)
}

async fn list(context: &CommandContext, out: &mut dyn Write) -> anyhow::Result<()> {
    let users: HashMap<_, _> = context.store.users().await?.into_iter().map(|user| (user.id, user.name)).collect();
    for key in context.store.api_keys().await? {
        let user = users.get(&key.user).map_or("?", String::as_str);
        let state = key.revoked_at.map_or_else(|| "valid".to_owned(), |at| format!("revoked {}", rfc3339(at)));
        writeln!(out, "{}  {}  {user}  {}  {state}", key.id, rfc3339(key.created_at), key.name)?;
    }
    Ok(())
}

async fn revoke(context: &CommandContext, id: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    if context.service.revoke_key(id, SystemClock.now()).await? {
        return Ok(writeln!(out, "{id} is revoked")?);
    }
    // Somebody may have typed a whole key: what was typed is not repeated.
    Err(StartupError::NoSuchKey.into())
}
