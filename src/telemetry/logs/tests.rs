#![expect(clippy::unwrap_used, reason = "a test may panic")]

use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Text, gap_text, lines};
use crate::config::{LogFormat, LogSection};

fn section(filter: &str, format: LogFormat) -> LogSection {
    LogSection { filter: filter.to_owned(), format, ..LogSection::default() }
}

/// What is written of one set of lines and spans, from this crate and from libraries.
fn written(filter: &str, format: LogFormat) -> String {
    let sink = Text::default();
    let writer = sink.clone();
    let section = section(filter, format);
    let subscriber = Registry::default().with(lines(&section, move || writer.clone(), false).unwrap());
    tracing::subscriber::with_default(subscriber, || {
        tracing::trace!(target: "antiphon::actors", step = 1, "own line");
        for line in ["a", "b"] {
            let span = tracing::trace_span!(target: "h2::codec", "frame", canary = line);
            let _inside = span.enter();
            tracing::trace!(target: "hyper::proto", canary = line);
            tracing::debug!(target: "h2::codec", canary = line);
            tracing::debug!(target: "a_library_nobody_thought_of", canary = line);
            tracing::info!(target: "reqwest::connect", canary = line);
            tracing::warn!(target: "sqlx::query", canary = line);
        }
        tracing::info!(target: "a_library_nobody_thought_of", "library line");
    });
    String::from_utf8(sink.0.lock().clone()).unwrap()
}

#[test]
fn no_filter_lets_libraries_print_what_they_handle() {
    let greedy = "trace,h2=trace,hyper=trace,reqwest=trace,sqlx=trace,a_library_nobody_thought_of=trace";
    for filter in ["trace", greedy] {
        let text = written(filter, LogFormat::Text);
        assert!(text.contains("own line") && text.contains("library line"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn the_configured_filter_holds_below_the_cap() {
    let text = written("warn,antiphon=trace", LogFormat::Text);
    assert!(text.contains("own line") && !text.contains("library line"), "{text}");
    assert!(!written("info", LogFormat::Text).contains("own line"));
}

#[test]
fn json_lines_are_objects_with_their_fields_on_top() {
    let text = written("antiphon=trace", LogFormat::Json);
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&line["message"], &line["step"]), (&"own line".into(), &1.into()));
}

#[test]
fn a_gap_is_a_line_like_all_others() {
    let told = |format| String::from_utf8(gap_text(&section("error", format), false).unwrap()(7)).unwrap();
    assert!(told(LogFormat::Text).ends_with("was too slow lines=7\n"), "{}", told(LogFormat::Text));
    let line: serde_json::Value = serde_json::from_str(&told(LogFormat::Json)).unwrap();
    assert_eq!((&line["level"], &line["lines"]), (&"ERROR".into(), &7.into()));
}

#[test]
fn no_text_begins_a_line_of_its_own() {
    let sink = Text::default();
    let writer = sink.clone();
    let section = section("info", LogFormat::Text);
    let subscriber = Registry::default().with(lines(&section, move || writer.clone(), false).unwrap());
    tracing::subscriber::with_default(subscriber, || {
        let bad = "x\n2026-11-30T00:00:00Z ERROR forged\u{1b}[2J\r";
        let span = tracing::info_span!(target: "antiphon", "request", id = %bad);
        let _inside = span.enter();
        tracing::info!(target: "antiphon", shown = %bad, quoted = bad, "told {bad}");
    });
    let text = String::from_utf8(sink.0.lock().clone()).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    assert!(text.ends_with('\n') && !text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
}
