//! The lines about the providers that the server prints once it listens.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::providers::BuiltProvider;
use crate::config::{ConfiguredProvider, LogFormat, ModelSection, UpstreamProvider};
use crate::domain::Timeouts;
use crate::provider::Error;

#[cfg(test)]
mod tests;

/// How long a provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Writes a line about each provider that is asked over HTTP, in the order of their names: whether it answers now. All
/// are asked at once, so that this takes no longer than the slowest of them, and three seconds at most.
pub(super) async fn lines(providers: &[BuiltProvider<'_>], format: LogFormat) -> String {
    let lines = providers.iter().filter_map(|built| match built.configured {
        ConfiguredProvider::Eliza(_) => None,
        ConfiguredProvider::Upstream(upstream) => Some(line(built, upstream, format)),
    });
    join_all(lines).await.concat()
}

async fn line(built: &BuiltProvider<'_>, upstream: &UpstreamProvider, format: LogFormat) -> String {
    let BuiltProvider { name, provider, .. } = built;
    let timeouts = upstream.section.timeouts;
    let Timeouts { connect, first_byte, .. } = timeouts;
    let timeouts = Timeouts { connect: connect.min(PATIENCE), first_byte: first_byte.min(PATIENCE), ..timeouts };
    let probed = timeout(PATIENCE, provider.probe(timeouts)).await.unwrap_or(Err(Error::FirstByteTimeout));
    let is_reachable = probed.is_ok();
    let found = match probed {
        Ok(()) => format!("reachable, {}", models(upstream)),
        Err(error) => format!("not reachable: {error}"),
    };
    // The configuration takes no URL that holds credentials.
    let (kind, base_url) = (upstream.kind.as_str(), &upstream.base_url);
    match format {
        LogFormat::Text => format!("Provider {name} ({kind}, {base_url}): {found}\n"),
        LogFormat::Json => {
            let told = json!({
                "event": "provider",
                "name": name,
                "kind": kind,
                "base_url": base_url,
                "reachable": is_reachable,
                "found": found,
            });
            format!("{told}\n")
        }
    }
}

/// How many models can be asked for there.
fn models(upstream: &UpstreamProvider) -> String {
    let any = upstream.models.iter().any(ModelSection::is_any);
    match (upstream.models.len() - usize::from(any), any) {
        (0, true) => "any model".to_owned(),
        (1, false) => "1 model".to_owned(),
        (count, false) => format!("{count} models"),
        (1, true) => "1 model and any other".to_owned(),
        (count, true) => format!("{count} models and any other"),
    }
}
