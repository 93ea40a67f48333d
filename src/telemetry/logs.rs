//! Logs without content.
//!
//! What this crate logs has ids, counts, causes and times, at every level. Libraries below it are not written that
//! way: at their finer levels HTTP libraries print headers with keys and whole bodies, and database libraries print
//! statements with values. So a second filter, which can't be configured, lets nothing of theirs pass that is finer
//! than a cap: `log.filter = "trace"` opens this crate's levels and no others. The text of a panic can quote what was
//! being handled (slicing a text does), so only its place is logged.

use std::io::{self, IsTerminal as _, Write};
use std::panic;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber, dispatcher};
use tracing_subscriber::filter::{FilterExt as _, ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer, Registry};

use super::BackgroundWriter;
use super::one_line::OneLineEach;
use crate::config::{LogFormat, LogSection};

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is not valid.
    #[error("log.filter is not a valid filter")]
    Filter(#[from] ParseError),
    /// The logs of the process are set up already.
    #[error("the logs are set up already")]
    Twice(#[from] TryInitError),
}

/// Sends the process's logs to `errors`, which writes to standard error, and the places of panics into the logs.
/// Standard output is left to what commands print.
///
/// # Errors
/// [`InitError`].
pub fn init(section: &LogSection, errors: &BackgroundWriter) -> Result<(), InitError> {
    // https://no-color.org: set to anything but the empty text.
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = std::io::stderr().is_terminal() && !unwanted;
    errors.set_most_bytes(section.buffer_bytes);
    errors.tell_gaps(gap_text(section, colours)?);
    let writer = errors.clone();
    Registry::default().with(lines(section, move || writer.clone(), colours)?).try_init()?;
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let thread = std::thread::current().name().map(str::to_owned);
        tracing::error!(place, thread, "a thread panicked");
    }));
    Ok(())
}

/// The layer that writes lines.
pub(super) fn lines<S, W>(
    section: &LogSection,
    writer: W,
    colours: bool,
) -> Result<Box<dyn Layer<S> + Send + Sync>, ParseError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = section.filter.parse::<Targets>()?.and(cap());
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    Ok(match section.format {
        LogFormat::Text => layer.map_writer(|writer| OneLineEach { writer, colours }).with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

/// What makes the line that tells of lines that were dropped: one like all others, but not by the way that is full.
fn gap_text(section: &LogSection, colours: bool) -> Result<impl Fn(u64) -> Vec<u8> + use<>, ParseError> {
    let text = Text::default();
    let writer = text.clone();
    let dispatch = Dispatch::new(Registry::default().with(lines(section, move || writer.clone(), colours)?));
    Ok(move |lines| {
        dispatcher::with_default(&dispatch, || {
            tracing::error!(lines, "lines of the log were dropped: its reader was too slow");
        });
        std::mem::take(&mut *text.0.lock())
    })
}

/// Takes what is written.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The finest levels that are ever logged, by target. A library that is not named may log what happened, but not the
/// data; libraries that handle statements and bodies may log only their errors and warnings.
fn cap() -> Targets {
    let careful =
        ["sqlx", "sea_orm", "hyper", "h2", "reqwest", "rustls", "actix_http", "actix_web", "actix_server", "tower"];
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(careful.map(|target| (target, LevelFilter::WARN)))
        .with_target("sqlx::query", LevelFilter::OFF)
        // It has a line for each request that is no HTTP, which anybody can send in any number.
        .with_target("actix_http::h1::dispatcher", LevelFilter::OFF)
        // It warns of parts of a URL that it doesn't know, and quotes them.
        .with_target("sqlx_postgres::options", LevelFilter::OFF)
        .with_target("sea_orm::query", LevelFilter::OFF)
        .with_target("antiphon", LevelFilter::TRACE)
}

#[cfg(test)]
mod tests;
