//! Stored responses, as the servers tell them now.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{Check, Findings};
use crate::client::{Answer, Frame, Next, send};
use crate::performance::{Finish, Stage};
use crate::plan::Visit;
use crate::record::Row;
use crate::witness::{Deletion, Seen, text_of};

/// How many are read side by side.
const CONCURRENT: usize = 8;

impl Check {
    /// Reads every stored response, as an object and as a stream.
    pub(super) async fn check_stored(&self, rows: &BTreeMap<String, Row>, findings: &Mutex<Findings>) {
        let stored = rows.iter().filter(|(_, row)| row.stored).enumerate();
        let all = stream::iter(stored).for_each_concurrent(CONCURRENT, |(place, (id, row))| async move {
            if let Err(error) = self.check_one(place, (id, row), findings).await {
                self.violation("not_readable", id, &format_args!("{error:#}"));
            }
        });
        all.await;
    }

    async fn check_one(
        &self,
        server: usize,
        (id, row): (&str, &Row),
        findings: &Mutex<Findings>,
    ) -> anyhow::Result<()> {
        let object = self.object(server, id).await?;
        let number = object["metadata"]["visit"].as_str().unwrap_or_default().parse().unwrap_or(u32::MAX);
        let Some(visit) = self.visit(number) else {
            self.violation("nobodys", id, &object);
            return Ok(());
        };
        let seen = self.witness.seen(id).unwrap_or_default();
        let frames = self.replay(server + 1, id, visit).await?;
        self.check_replay(id, &frames, &object);
        self.check_seen(id, &seen, (&frames, &object));
        self.check_text((id, row), visit, &object);
        let status = object["status"].as_str().unwrap_or_default();
        if status != row.status {
            self.violation("row_and_log", id, &format_args!("the row says {}, the log {status}", row.status));
        }
        if status == "cancelled" && !seen.cancel_asked {
            self.violation("cancelled_by_nobody", id, &object);
        }
        if seen.deletion == Deletion::Done {
            self.violation("deleted_and_there", id, &object);
        }
        let text = text_of(&object);
        let common = seen.text.bytes().zip(text.bytes()).take_while(|(one, other)| one == other).count();
        let mut findings = findings.lock().await;
        findings.lacking += (seen.text.len() - common) as u64;
        findings.visits.insert(id.to_owned(), number);
        Ok(())
    }

    async fn object(&self, server: usize, id: &str) -> anyhow::Result<Value> {
        match send(self.http.request(server, Method::GET, &format!("/{id}"))).await {
            Ok(Answer::Whole(200, object)) => Ok(object),
            other => anyhow::bail!("GET: {other:?}"),
        }
    }

    async fn replay(&self, server: usize, id: &str, visit: &Visit) -> anyhow::Result<Vec<Frame>> {
        let padded = if visit.obfuscated && visit.form.stream { "&include_obfuscation=true" } else { "" };
        let request = self.http.request(server, Method::GET, &format!("/{id}?stream=true{padded}"));
        let mut stream = match send(request).await {
            Ok(Answer::Stream(stream)) => stream,
            other => anyhow::bail!("GET stream: {other:?}"),
        };
        let mut frames = Vec::new();
        let mut done = false;
        loop {
            match stream.next().await {
                Ok(Next::Frame(frame)) if !done => frames.push(frame),
                Ok(Next::Done) if !done => done = true,
                Ok(Next::End) if done => return Ok(frames),
                other => anyhow::bail!("the replay, after {} events: {other:?}", frames.len()),
            }
        }
    }

    fn check_replay(&self, id: &str, frames: &[Frame], object: &Value) {
        let numbers = frames.iter().enumerate().all(|(place, frame)| frame.sequence_number == place as u64);
        if !numbers {
            self.violation("a_gap_in_the_replay", id, &frames.len());
        }
        let ends = frames.iter().filter(|frame| frame.terminal().is_some()).count();
        match frames.last().and_then(Frame::terminal) {
            Some(told) if told == object && ends == 1 => {}
            Some(told) => self.violation("replay_and_object", id, &format_args!("{ends} ends; {told} and {object}")),
            None => self.violation("a_replay_without_its_end", id, &frames.len()),
        }
        let text: String = frames.iter().filter_map(Frame::delta).collect();
        if text != text_of(object) {
            self.violation("replay_and_text", id, &format_args!("{text:?} and {object}"));
        }
    }

    /// What clients saw is the beginning of what is there.
    fn check_seen(&self, id: &str, seen: &Seen, (frames, object): (&[Frame], &Value)) {
        for (place, known) in seen.frames.iter().enumerate() {
            let now = frames.get(place).map(|frame| frame.text.as_str());
            if now != Some(known) {
                self.violation("seen_and_not_there", id, &format_args!("number {place}: {known:?} and now {now:?}"));
                break;
            }
        }
        if let Some(ended) = &seen.ended {
            let now = object.to_string();
            let same =
                object["status"] == ended.status.as_str() && ended.object.as_ref().is_none_or(|told| *told == now);
            if !same {
                self.violation("another_end", id, &format_args!("{ended:?} and now {object}"));
            }
        }
    }

    /// The text is what the provider says to that prompt, and all of it if the response is complete.
    fn check_text(&self, (id, row): (&str, &Row), visit: &Visit, object: &Value) {
        let (text, whole) = (text_of(object), visit.performance.text(visit.number));
        let calls = self.provider.calls(visit.number);
        let reason = object["incomplete_details"]["reason"].as_str();
        let finishes = match (object["status"].as_str(), reason) {
            (Some("completed"), _) => Some([Finish::Stop, Finish::StopWithoutUsage].as_slice()),
            (Some("incomplete"), Some("max_output_tokens")) => Some([Finish::Length].as_slice()),
            _ => None,
        };
        let true_end = finishes
            .is_none_or(|finishes| text == whole && calls.finished > 0 && finishes.contains(&visit.performance.finish));
        if !true_end {
            self.violation("an_untrue_end", id, &format_args!("{calls:?}, {:?}: {object}", visit.performance.finish));
        }
        if !whole.starts_with(&text) {
            self.violation("not_the_providers_text", id, &format_args!("{text:?} and {whole:?}"));
        }
        let kind = object["error"]["type"].as_str().or(reason).unwrap_or_default();
        self.tally.count(&format!("endings.{} {kind}", object["status"].as_str().unwrap_or_default()));
        // Of a call that goes on without its listener only the very beginning can be lost.
        let may_have_hung = row.ended_at.is_some_and(|at| self.witness.may_have_hung(at));
        let kept = matches!(kind, "server_interrupted" | "database_unavailable") || may_have_hung;
        if visit.performance.stage == Stage::Far && object["status"] == "failed" && !kept {
            self.violation("a_call_that_goes_on_was_lost", id, &format_args!("{calls:?}: {object}"));
        }
        if kind == "internal_error" && !may_have_hung {
            self.violation("an_internal_error", id, object);
        }
    }
}
