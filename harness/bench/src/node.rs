//! A node as `antiphon serve` starts it, in this program: the binary does not tell its commits.

use std::io::{BufRead as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use actix_web::rt::System;
use antiphon::Antiphon;
use antiphon::admission::Model;
use antiphon::cli::{ServeInput, prepare};
use antiphon::config::{Config, ConfiguredProvider, Environment};
use antiphon::domain::Target;
use antiphon::http::{self, HttpOptions, HttpState, ServerOptions};
use antiphon::provider::{ChatCompletions, UpstreamOptions};

/// Serves until standard input ends; every line there is answered with the commits so far.
pub(crate) fn run(config: &Path, data: &Path) -> anyhow::Result<()> {
    let config = Config::load(Some(config), &Environment::default())?;
    System::new().block_on(async move {
        let input = prepare(config, data, None).await?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let antiphon = start(&input)?;
        let state = HttpState::new(&antiphon, input.authenticator.clone(), HttpOptions::default());
        let server = http::serve(listener, state, &ServerOptions::default())?;
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
    let mut builder = Antiphon::builder(Arc::clone(&input.store), input.vault.clone());
    for (name, provider) in &input.config.providers {
        if let ConfiguredProvider::Upstream(upstream) = provider {
            let options = UpstreamOptions::new(&upstream.base_url);
            builder = builder.provider(name, ChatCompletions::new(options)?);
        }
    }
    let model = Model::new("bench", Target::new("bench", "bench"));
    Ok(builder.name(&input.node).model(model).limits(input.config.limits.clone()).start()?)
}
