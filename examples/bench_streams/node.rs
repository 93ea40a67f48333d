//! A node as `antiphon serve` starts it, in this program: the binary does not tell its commits.

use std::io::{BufRead as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::System;
use antiphon::Antiphon;
use antiphon::admission::{Admission, DisconnectWish, Model, ModelCatalog};
use antiphon::cli::{ServeInput, prepare};
use antiphon::config::{Config, Environment, Provider};
use antiphon::domain::{Encoding, Target};
use antiphon::http::{self, HttpSettings, HttpState, InFlight};
use antiphon::provider::{ChatCompletions, UpstreamOptions};
use antiphon::tokens::Tiktoken;

/// Serves until standard input ends; every line there is answered with the commits so far.
pub(crate) fn run(config: &Path, data: &Path) -> anyhow::Result<()> {
    let config = Config::load(Some(config), &Environment::default())?;
    System::new().block_on(async move {
        let input = prepare(config, data, None).await?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let antiphon = start(&input)?;
        let server = http::serve(listener, state(&input, &antiphon))?;
        let handle = server.handle();
        print_out(&input.welcome(address).await?)?;
        let telling = tokio::task::spawn_blocking(move || tell_commits(&antiphon));
        tokio::select! {
            served = server => served?,
            told = telling => {
                told??;
                handle.stop(false).await;
            }
        }
        Ok(())
    })
}

fn tell_commits(antiphon: &Antiphon) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        line?;
        let stats = antiphon.journal().stats();
        print_out(&format!("commits {} {}\n", stats.commits, stats.entries))?;
    }
    Ok(())
}

fn print_out(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn start(input: &ServeInput) -> anyhow::Result<Antiphon> {
    let mut builder = Antiphon::builder(Arc::clone(&input.store) as _, input.vault.clone(), Arc::new(Tiktoken));
    for (name, section) in &input.config.providers {
        if let Provider::Upstream(section) = section {
            let options = UpstreamOptions::new(&section.base_url);
            builder = builder.provider(name, ChatCompletions::new(options)?);
        }
    }
    Ok(builder.name(&input.node).start()?)
}

fn state(input: &ServeInput, antiphon: &Antiphon) -> HttpState {
    let model = Model {
        id: "bench".to_owned(),
        target: Target::new("bench", "bench"),
        fallbacks: Vec::new(),
        context_window: 128_000,
        encoding: Encoding::default(),
        default_output_tokens: 2048,
        max_output_tokens: 2048,
        owned_by: "bench".to_owned(),
        created: 0,
    };
    let admission = Admission {
        models: Arc::new([model].into_iter().collect::<ModelCatalog>()),
        limits: input.config.limits.limits(),
        disconnect: DisconnectWish::Grace,
        grace: Duration::from_secs(10),
        histories: Arc::new(antiphon.clone()),
        counter: Arc::new(Tiktoken),
    };
    HttpState {
        backend: Arc::new(antiphon.clone()),
        admission: Arc::new(admission),
        authenticator: Arc::new(input.authenticator.clone()),
        settings: Arc::new(HttpSettings::default()),
        in_flight: InFlight::default(),
    }
}
