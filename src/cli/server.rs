//! From what is prepared to a server that runs until it is told to stop.

use std::{convert::Infallible, io::Write, net::TcpListener, path::Path, sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use anyhow::anyhow;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::providers::{self, Built};
use super::serve::{ServeInput, prepare};
use super::{Obstacle, dangers, models, reachability};
use crate::actors::Settings;
use crate::admission::DisconnectWish;
use crate::antiphon::Antiphon;
use crate::config::{Config, Disconnect, LogFormat};
use crate::domain::{BackgroundLimits, Encoding};
use crate::http::{self, HttpSettings, HttpState, InFlight};
use crate::tokens::Tiktoken;

/// How long the bodies that tell of the ending may take when responses took all the time to drain.
const LAST_BODIES: Duration = Duration::from_secs(1);

/// How long the last bytes of bodies may take to leave.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// Serves until a signal, or until the node can't go on.
///
/// # Errors
/// What people are to read on standard error.
pub(super) async fn serve(
    config: Config,
    data: &Path,
    listen: Option<std::net::SocketAddr>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let input = prepare(config, data, listen).await?;
    let asked = input.config.server.listen;
    let listener = TcpListener::bind(asked).map_err(|error| Obstacle::at(asked, error))?;
    let address = listener.local_addr()?;
    let providers = providers::build(&input.config)?;
    let antiphon = start_node(&input, &providers)?;
    load_vocabularies(&input.config);
    let state = HttpState::new(&antiphon, input.authenticator.clone(), http_settings(&input.config));
    let in_flight = state.in_flight.clone();
    let server = http::serve(listener, state)?;
    let handle = server.handle();
    #[expect(clippy::disallowed_methods, reason = "the HTTP server is no actor, and is waited for here")]
    let mut served = actix_rt::spawn(server);
    out.write_all(input.welcome(address).await?.as_bytes())?;
    out.flush()?;
    for danger in dangers::of(&input.config, address) {
        tracing::warn!("{danger}");
    }
    let mut signals = Signals::new()?;
    tokio::select! {
        stopped = &mut served => return Ok(stopped??),
        failure = antiphon.failed() => return Err(anyhow!(failure).context("the server can't go on")),
        () = signals.next() => {}
        never = tell_reachability(&providers, input.config.log.format, out) => match never {},
    }
    tokio::select! {
        () = stop(&antiphon, (&handle, &in_flight), &input.config) => {}
        () = signals.next() => tracing::warn!("stopped at once; the next start settles what was running"),
    }
    Ok(())
}

/// Prints whether the providers answer, then never ends: the server has begun and does not depend on it.
async fn tell_reachability(providers: &[Built<'_>], format: LogFormat, out: &mut dyn Write) -> Infallible {
    let lines = reachability::lines(providers, format).await;
    if let Err(error) = out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        tracing::warn!(error = %error, "nobody reads which providers can be reached");
    }
    std::future::pending().await
}

/// Meanwhile: the first request would wait for them.
fn load_vocabularies(config: &Config) {
    let catalog = models::catalog(config);
    let mut encodings: Vec<Encoding> = catalog.iter().chain(catalog.any()).map(|model| model.encoding).collect();
    encodings.sort_unstable_by_key(|encoding| format!("{encoding:?}"));
    encodings.dedup();
    tokio::task::spawn_blocking(move || {
        for encoding in encodings {
            if let Err(error) = Tiktoken::load(encoding) {
                tracing::error!(error = %error, "a vocabulary could not be loaded");
            }
        }
    });
}

/// Responses first, bodies after them, connections last: no body is cut before the time to drain is over, and a
/// connection that only waits for another request holds nothing up.
async fn stop(antiphon: &Antiphon, (server, in_flight): (&ServerHandle, &InFlight), config: &Config) {
    tracing::info!("the server stops: running responses may finish");
    let drained = Instant::now() + config.server.drain_timeout;
    antiphon.drain(config.server.drain_timeout).await;
    let last = drained.max(Instant::now() + LAST_BODIES);
    tracing::info!("nothing runs any more: bodies may be read to their ends");
    if tokio::time::timeout_at(last, in_flight.none()).await.is_err() {
        tracing::warn!("the time to drain is over: what is still being sent is cut");
    }
    if tokio::time::timeout(LAST_BYTES, server.stop(true)).await.is_err() {
        server.stop(false).await;
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn start_node(input: &ServeInput, providers: &[Built<'_>]) -> anyhow::Result<Antiphon> {
    let config = &input.config;
    let builder = Antiphon::builder(Arc::clone(&input.store), input.vault.clone())
        .name(&input.node)
        .models(models::catalog(config))
        .limits(config.limits.limits())
        .on_disconnect(match config.responses.disconnect {
            Disconnect::Grace => DisconnectWish::Grace,
            Disconnect::Cancel => DisconnectWish::Cancel,
            Disconnect::Continue => DisconnectWish::Continue,
        })
        .grace(config.responses.grace)
        .settings(settings(config));
    let builder = providers.iter().fold(builder, |builder, Built { name, section, provider }| {
        builder.provider_with_options(*name, Arc::clone(provider), providers::limits(section))
    });
    let arbiters = config.responses.arbiters;
    let builder = if arbiters == 0 { builder } else { builder.arbiters(arbiters) };
    Ok(builder.start()?)
}

fn settings(config: &Config) -> Settings {
    let defaults = Settings::default();
    let beats = config.responses.hang_after.as_millis() / config.responses.heartbeat.as_millis().max(1);
    Settings {
        heartbeat: config.responses.heartbeat,
        missed_beats: u32::try_from(beats).unwrap_or(u32::MAX),
        lease: config.responses.lease,
        admission_patience: defaults.admission_patience.min(config.store.outage_patience),
        outage_patience: config.store.outage_patience,
        client_stall_timeout: config.http.client_stall_timeout,
        max_output_bytes: config.responses.max_output_bytes,
        background: BackgroundLimits {
            running: config.responses.background_concurrency,
            running_per_user: config.responses.background_concurrency_per_user,
            waiting: config.responses.background_queue,
        },
        ..defaults
    }
}

fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        body_bytes: config.http.body_limit,
        header_wait: config.http.header_wait,
        keep_alive: config.http.keep_alive,
        page: config.http.page,
        workers: (config.server.workers > 0).then_some(config.server.workers),
        request_timeout: config.server.header_timeout,
        body_timeout: config.server.body_timeout,
        idle_timeout: config.server.idle_timeout,
        ..HttpSettings::default()
    }
}
