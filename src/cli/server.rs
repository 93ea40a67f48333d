//! From what is prepared to a server that runs until it is told to stop.

use std::{collections::HashMap, io::Write, net::TcpListener, path::Path, sync::Arc};

use actix_web::dev::ServerHandle;
use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::serve::{ServeInput, prepare};
use crate::actors::{ProviderLimits, Settings};
use crate::admission::{Admission, DisconnectWish, Model, ModelCatalog};
use crate::antiphon::Antiphon;
use crate::config::{self, ChatCompletionsSection, Config, Disconnect};
use crate::domain::{Encoding, Target, Timeouts};
use crate::http::{self, HttpSettings, HttpState};
use crate::provider::{ChatCompletions, Eliza, Provider, UpstreamOptions};
use crate::tokens::Tiktoken;

/// The context window of a model of which nothing is said.
const CONTEXT_WINDOW: u32 = 128_000;

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
    let listener = TcpListener::bind(input.config.server.listen)
        .with_context(|| format!("the address {} can't be listened on", input.config.server.listen))?;
    let address = listener.local_addr()?;
    let antiphon = start_node(&input)?;
    load_vocabularies(&input.config);
    let server = http::serve(listener, state(&input, &antiphon))?;
    let handle = server.handle();
    #[expect(clippy::disallowed_methods, reason = "the HTTP server is no actor, and is waited for here")]
    let mut served = actix_rt::spawn(server);
    out.write_all(input.welcome(address).await?.as_bytes())?;
    out.flush()?;
    let mut signals = Signals::new()?;
    tokio::select! {
        stopped = &mut served => return Ok(stopped??),
        failure = antiphon.failed() => return Err(anyhow!(failure).context("the server can't go on")),
        () = signals.next() => {}
    }
    tokio::select! {
        () = stop(&antiphon, &handle, &input.config) => {}
        () = signals.next() => tracing::warn!("stopped at once; the next start settles what was running"),
    }
    Ok(())
}

/// Meanwhile: the first request would wait for them.
fn load_vocabularies(config: &Config) {
    let catalog = models(config);
    let mut encodings: Vec<Encoding> = catalog.iter().map(|model| model.encoding).collect();
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

/// Responses first, connections after them: no stream is cut before its end is sent.
async fn stop(antiphon: &Antiphon, server: &ServerHandle, config: &Config) {
    tracing::info!("the server stops: running responses may finish");
    antiphon.drain(config.server.drain_timeout).await;
    server.stop(true).await;
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

fn start_node(input: &ServeInput) -> anyhow::Result<Antiphon> {
    let responses = &input.config.responses;
    let builder = Antiphon::builder(Arc::clone(&input.store) as _, input.vault.clone(), Arc::new(Tiktoken))
        .name(&input.node)
        .settings(settings(&input.config));
    let builder = providers(&input.config)?
        .into_iter()
        .fold(builder, |builder, (name, provider)| builder.limited_provider(name, provider, ProviderLimits::default()));
    let builder = if responses.arbiters == 0 { builder } else { builder.arbiters(responses.arbiters) };
    Ok(builder.start()?)
}

fn settings(config: &Config) -> Settings {
    let defaults = Settings::default();
    let beats = config.responses.hang_after.as_millis() / config.responses.heartbeat.as_millis().max(1);
    Settings {
        heartbeat: config.responses.heartbeat,
        missed_beats: u32::try_from(beats).unwrap_or(u32::MAX),
        admission_patience: defaults.admission_patience.min(config.store.outage_patience),
        outage_patience: config.store.outage_patience,
        client_stall_timeout: config.http.client_stall_timeout,
        max_output_bytes: config.responses.max_output_bytes,
        ..defaults
    }
}

fn providers(config: &Config) -> anyhow::Result<HashMap<String, Arc<dyn Provider>>> {
    let provider = |section: &config::Provider| -> anyhow::Result<Arc<dyn Provider>> {
        Ok(match section {
            config::Provider::Eliza => Arc::new(Eliza::default()),
            config::Provider::ChatCompletions(section) => Arc::new(chat_completions(section)?),
        })
    };
    let named = |(name, section): (&String, &config::Provider)| {
        Ok((name.clone(), provider(section).with_context(|| format!("providers.{name}"))?))
    };
    config.providers.iter().map(named).collect()
}

fn chat_completions(section: &ChatCompletionsSection) -> anyhow::Result<ChatCompletions> {
    let options = UpstreamOptions { api_key: section.api_key.clone(), ..UpstreamOptions::new(&section.base_url) };
    Ok(ChatCompletions::new(options)?)
}

fn state(input: &ServeInput, antiphon: &Antiphon) -> HttpState {
    let config = &input.config;
    let admission = Admission {
        models: Arc::new(models(config)),
        limits: config.limits.limits(),
        disconnect: match config.responses.disconnect {
            Disconnect::Grace => DisconnectWish::Grace,
            Disconnect::Cancel => DisconnectWish::Cancel,
            Disconnect::Continue => DisconnectWish::Continue,
        },
        grace: config.responses.grace,
        histories: Arc::new(antiphon.clone()),
        counter: Arc::new(Tiktoken),
    };
    HttpState {
        backend: Arc::new(antiphon.clone()),
        admission: Arc::new(admission),
        authenticator: Arc::new(input.authenticator.clone()),
        settings: Arc::new(http_settings(config)),
    }
}

fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        body_bytes: config.http.body_limit,
        header_wait: config.http.header_wait,
        keep_alive: config.http.keep_alive,
        workers: (config.server.workers > 0).then_some(config.server.workers),
        request_timeout: config.server.header_timeout,
        body_timeout: config.server.body_timeout,
        idle_timeout: config.server.idle_timeout,
        ..HttpSettings::default()
    }
}

fn models(config: &Config) -> ModelCatalog {
    let unlimited = config.responses.default_max_output_tokens;
    let offered = |(provider, section): (&String, &config::Provider)| -> Vec<Model> {
        let (named, timeouts) = match section {
            config::Provider::Eliza => (vec![config::Model::named("eliza")], Timeouts::default()),
            config::Provider::ChatCompletions(section) => (section.models.clone(), timeouts(section)),
        };
        named.into_iter().map(|model| offer(provider, model, (timeouts, unlimited))).collect()
    };
    config.providers.iter().flat_map(offered).collect()
}

fn timeouts(section: &ChatCompletionsSection) -> Timeouts {
    Timeouts {
        connect: section.connect_timeout,
        first_byte: section.first_byte_timeout,
        idle: section.idle_timeout,
        ..Timeouts::default()
    }
}

fn offer(provider: &str, model: config::Model, (timeouts, default_output_tokens): (Timeouts, u32)) -> Model {
    Model {
        id: model.id,
        target: Target { provider: provider.to_owned(), model: model.upstream_id, timeouts },
        fallbacks: Vec::new(),
        context_window: model.context_window.unwrap_or(CONTEXT_WINDOW),
        encoding: model.encoding,
        default_output_tokens: model.max_output_tokens.unwrap_or(default_output_tokens),
        max_output_tokens: crate::domain::Limits::default().max_output_tokens,
        owned_by: provider.to_owned(),
        created: 0,
    }
}
