//! `antiphon keys`.

use std::collections::HashMap;
use std::io::Write;

use super::Obstacle;
use super::args::KeysCommand;
use super::site::Site;
use super::time::rfc3339;
use crate::clock::{Clock as _, SystemClock};
use crate::store::AccountStore as _;

pub(super) async fn run(site: &Site, command: &KeysCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        KeysCommand::Create { name, user } => create(site, name, user, out).await,
        KeysCommand::List => list(site, out).await,
        KeysCommand::Revoke { id } => revoke(site, id, out).await,
    }
}

async fn create(site: &Site, name: &str, user: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let user = site.user(user).await?;
    let key = site.service.create_key(user.id, name, SystemClock.now()).await?;
    Ok(writeln!(out, "{}", key.expose())?)
}

async fn list(site: &Site, out: &mut dyn Write) -> anyhow::Result<()> {
    let users: HashMap<_, _> = site.store.users().await?.into_iter().map(|user| (user.id, user.name)).collect();
    for key in site.store.api_keys().await? {
        let user = users.get(&key.user).map_or("?", String::as_str);
        let state = key.revoked_at.map_or_else(|| "valid".to_owned(), |at| format!("revoked {}", rfc3339(at)));
        writeln!(out, "{}  {}  {user}  {}  {state}", key.id, rfc3339(key.created_at), key.name)?;
    }
    Ok(())
}

async fn revoke(site: &Site, id: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    if site.service.revoke_key(id, SystemClock.now()).await? {
        return Ok(writeln!(out, "{id} is revoked")?);
    }
    // Somebody may have typed a whole key: what was typed is not repeated.
    Err(Obstacle::NoSuchKey.into())
}
