//! Running a prepared server until it is told to stop.

use std::{
    convert::Infallible,
    io::{self, Write},
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::Duration,
};

use actix_web::dev::ServerHandle;
use anyhow::anyhow;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::providers::{self, BuiltProvider};
use super::serve::{ServeInput, prepare};
use super::system_limits::{SystemLimits, raise_open_files, reserved_files};
use super::{StartupError, models, reachability, startup_warnings};
use crate::antiphon::Antiphon;
use crate::config::{Config, LogFormat};
use crate::domain::Encoding;
use crate::http::{self, HttpState, InFlight, ServerOptions};
use crate::tokens::Tiktoken;

/// How long bodies may take to report the last endings, where the responses took all of the drain timeout.
const LAST_BODIES: Duration = Duration::from_secs(1);

/// How long the last bytes of bodies may take to be sent.
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
    if let Err(error) = raise_open_files() {
        tracing::warn!(error = %error, "the limit of open files could not be raised");
    }
    let input = prepare(config, data, listen).await?;
    input.store.hold_reserve();
    let asked = input.config.server.listen;
    let listener = TcpListener::bind(asked).map_err(|error| StartupError::at(asked, error))?;
    let address = listener.local_addr()?;
    let providers = providers::build(&input.config)?;
    let antiphon = start_node(&input, &providers)?;
    #[cfg(feature = "fault-points")]
    tokio::spawn(super::faults::obey_signals(antiphon.downgrade()));
    load_vocabularies(&input.config);
    let state = HttpState::new(&antiphon, input.authenticator.clone(), input.config.http.clone());
    let in_flight = state.in_flight.clone();
    let server_options = ServerOptions { reserved_files: reserved_files(&input.config), ..input.config.server.clone() };
    let server = http::serve(listener, state, &server_options)?;
    let handle = server.handle();
    #[expect(clippy::disallowed_methods, reason = "the HTTP server is no actor, and is waited for here")]
    let mut served = actix_rt::spawn(server);
    // Before it says that it listens: from then on a signal is to stop it in order.
    let mut signals = Signals::new()?;
    print(out, &input.welcome(address).await?)?;
    let limits = SystemLimits::of_this_process();
    let open_files = startup_warnings::open_files(&input.config, data);
    for warning in startup_warnings::list(&input.config, address, limits).into_iter().chain(open_files) {
        tracing::warn!("{warning}");
    }
    tokio::select! {
        stopped = &mut served => return Ok(stopped??),
        failure = antiphon.failed() => return Err(anyhow!(failure).context("the server can't go on")),
        () = signals.next() => {}
        never = tell_reachability(&providers, input.config.log.format, out) => match never {},
    }
    tokio::select! {
        () = stop(&antiphon, &handle, &in_flight, input.config.server.drain_timeout) => {}
        () = signals.next() => tracing::warn!("stopped at once; the next start settles what was running"),
    }
    Ok(())
}

/// Prints what a server says at its start. A reader that stands still is waited for as long as a flush waits, and then
/// left alone.
fn print(out: &mut dyn Write, text: &str) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            tracing::warn!("nobody reads standard output");
            Ok(())
        }
        printed => printed,
    }
}

/// Prints whether the providers answer, then never ends: the server has begun and does not depend on it.
async fn tell_reachability(providers: &[BuiltProvider<'_>], format: LogFormat, out: &mut dyn Write) -> Infallible {
    let lines = reachability::lines(providers, format).await;
    if let Err(error) = print(out, &lines) {
        tracing::warn!(error = %error, "nobody reads which providers can be reached");
    }
    std::future::pending().await
}

/// Loads the vocabularies in the background, so that the first request need not wait for them.
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

/// Stops responses first, then bodies, then connections: no body is cut before the drain timeout is over, and a
/// connection that only waits for another request delays nothing.
async fn stop(antiphon: &Antiphon, server: &ServerHandle, in_flight: &InFlight, drain_timeout: Duration) {
    tracing::info!("the server stops: running responses may finish");
    let drained = Instant::now() + drain_timeout;
    antiphon.drain(drain_timeout).await;
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

fn start_node(input: &ServeInput, providers: &[BuiltProvider<'_>]) -> anyhow::Result<Antiphon> {
    let config = &input.config;
    let builder = Antiphon::builder(Arc::clone(&input.store), input.vault.clone())
        .name(&input.node)
        .models(models::catalog(config))
        .limits(config.limits.clone())
        .responses(config.responses.clone());
    let builder = providers.iter().fold(builder, |builder, BuiltProvider { name, configured, provider }| {
        builder.provider_with_options(*name, Arc::clone(provider), configured.options())
    });
    Ok(builder.start()?)
}
