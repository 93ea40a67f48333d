//! `antiphon doctor`: responses that are set aside. It works without any key, since a missing one may be the reason.

use std::io::Write;

use super::args::DoctorCommand;
use super::command_context::find_unchanged_store;
use super::time::rfc3339;
use super::{DataDir, StartupError};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::SettleReason;
use crate::protocol::ResponseId;
use crate::store::{
    CommitOutcome, EndingRecord, GroupCommit as _, JournalEntry, ResponseStore as _, SetAsideResponse, SqlStore,
};

/// The most responses that are listed, or tried again by one command.
const MOST: u32 = 10_000;

pub(super) async fn run(
    config: &Config,
    data_dir: &DataDir,
    command: Option<&DoctorCommand>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let store = find_unchanged_store(config, data_dir).await?;
    let done = match command {
        None => list(&store, out).await,
        Some(DoctorCommand::Retry { id: Some(id) }) => retry(&store, *id, out).await,
        Some(DoctorCommand::Retry { id: None }) => retry_all(&store, out).await,
        Some(DoctorCommand::End { id }) => end(&store, *id, out).await,
    };
    let closed = store.close().await;
    done.and(closed.map_err(anyhow::Error::from))
}

async fn list(store: &SqlStore, out: &mut dyn Write) -> anyhow::Result<()> {
    let set_aside = store.set_aside(MOST).await?;
    if set_aside.is_empty() {
        return Ok(writeln!(out, "no response is set aside")?);
    }
    for SetAsideResponse { id, node, mark, .. } in set_aside {
        writeln!(out, "{id}  {}  {}  {node}", rfc3339(mark.at), mark.reason.as_str())?;
        writeln!(out, "  {}", mark.reason.advice())?;
    }
    Ok(())
}

async fn retry(store: &SqlStore, id: ResponseId, out: &mut dyn Write) -> anyhow::Result<()> {
    if !store.want_retry(id, SystemClock.now()).await? {
        return Err(StartupError::NotSetAside(id).into());
    }
    Ok(writeln!(out, "{id} is tried again")?)
}

async fn retry_all(store: &SqlStore, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut wanted = 0;
    for response in store.set_aside(MOST).await? {
        wanted += u32::from(store.want_retry(response.id, SystemClock.now()).await?);
    }
    Ok(writeln!(out, "{wanted} responses are tried again")?)
}

/// Ends a response by the same compare-and-set as its servers. Its log stays as it is: whoever can read it sees all of
/// it, with this ending.
async fn end(store: &SqlStore, id: ResponseId, out: &mut dyn Write) -> anyhow::Result<()> {
    let found = store.set_aside(u32::MAX).await?.into_iter().find(|response| response.id == id);
    let found = found.ok_or(StartupError::NotSetAside(id))?;
    if found.has_live_owner {
        return Err(StartupError::StillOwned { id, node: found.node }.into());
    }
    let row = store.response(id).await?.ok_or(StartupError::NotSetAside(id))?;
    let ending = SettleReason::NodeLost.verdict().ending();
    let ending = EndingRecord::without_log(&row, ending, SystemClock.now());
    match store.commit(&[JournalEntry::End(Box::new(ending))]).await?.as_slice() {
        [CommitOutcome::Committed] => {
            let lost = "its items and what it used beside its prompt are not recorded; a provider that keeps working \
                        without a connection has not been told";
            Ok(writeln!(out, "{id} has ended as failed; {lost}")?)
        }
        // A server ended it, or took it over, in this moment.
        _ => Err(StartupError::NotSetAside(id).into()),
    }
}
