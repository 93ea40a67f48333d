//! What clients saw of each response, and every contradiction between two of them.

use std::collections::BTreeMap;
use std::fmt;

use antiphon::{Clock as _, SystemClock};
use parking_lot::Mutex;
use serde_json::Value;

use crate::client::Frame;

/// The most contradictions that are kept; where there are more, the first ones say enough.
const MOST_VIOLATIONS: usize = 200;

/// All that was seen.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    responses: Mutex<BTreeMap<String, Seen>>,
    by_visit: Mutex<BTreeMap<u32, String>>,
    /// How many requests of a visit for a response had no success.
    fruitless: Mutex<BTreeMap<u32, u32>>,
    /// What is known of the deletion of users.
    users: Mutex<BTreeMap<usize, Deletion>>,
    /// When threads were blocked for so long that what lived there counted as hung.
    hangs: Mutex<Vec<Hang>>,
    violations: Mutex<Vec<String>>,
}

/// How long after a thread goes on what lived there may still be ended as hung.
const AFTERMATH: i64 = 5_000_000;

/// From when to when a thread was blocked, in microseconds; the end is not known while it is.
#[derive(Debug, Clone, Copy)]
struct Hang {
    begin: i64,
    end: Option<i64>,
}

/// What was seen of a response.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// Whose visit made it.
    pub(crate) visit: u32,
    /// The events by their numbers, as they came.
    pub(crate) frames: Vec<Box<str>>,
    /// The text of the deltas among them.
    pub(crate) text: String,
    /// How it ended, and who was told so.
    pub(crate) ended: Option<Ended>,
    /// Whether a client asked to cancel or to delete it: then it may end so.
    pub(crate) cancel_asked: bool,
    /// What is known of its deletion.
    pub(crate) deletion: Deletion,
}

/// How a response ended, as a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: String,
    /// The object, where that was told.
    pub(crate) object: Option<String>,
}

/// What is known of a deletion.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deletion {
    /// Nobody asked for it.
    #[default]
    No,
    /// Somebody asked and has no answer.
    Asked,
    /// Somebody was told that it is done.
    Done,
}

/// What was known of a response when something was asked about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    pub(crate) text: usize,
    pub(crate) ended: bool,
    pub(crate) deletion: Deletion,
}

impl Witness {
    /// A client has learned that this is the response of a visit.
    pub(crate) fn accepted(&self, id: &str, visit: u32) {
        self.responses.lock().entry(id.to_owned()).or_insert_with(|| Seen { visit, ..Seen::default() });
        let other = self.by_visit.lock().entry(visit).or_insert_with(|| id.to_owned()).clone();
        if other != id {
            self.violation("two_responses_for_one_request", id, &other);
        }
    }

    /// A request of a visit for a response was refused, or its answer was lost.
    pub(crate) fn fruitless(&self, visit: u32) {
        *self.fruitless.lock().entry(visit).or_default() += 1;
    }

    /// How often that happened.
    pub(crate) fn fruitless_requests(&self, visit: u32) -> u32 {
        self.fruitless.lock().get(&visit).copied().unwrap_or(0)
    }

    /// A user is being deleted, or is deleted.
    pub(crate) fn delete_user(&self, user: usize, deletion: Deletion) {
        self.users.lock().insert(user, deletion);
    }

    /// What is known of the deletion of a user.
    pub(crate) fn user_deletion(&self, user: usize) -> Deletion {
        self.users.lock().get(&user).copied().unwrap_or_default()
    }

    /// A thread is blocked from now on; which of the hangs that is.
    pub(crate) fn hangs(&self) -> usize {
        let mut hangs = self.hangs.lock();
        hangs.push(Hang { begin: SystemClock.now().as_micros(), end: None });
        hangs.len() - 1
    }

    /// The thread goes on.
    pub(crate) fn goes_on(&self, hang: usize) {
        if let Some(hang) = self.hangs.lock().get_mut(hang) {
            hang.end = Some(SystemClock.now().as_micros());
        }
    }

    /// Whether something may have been ended as hung at that time, in microseconds.
    pub(crate) fn may_have_hung(&self, at: i64) -> bool {
        let may = |hang: &Hang| hang.begin <= at && hang.end.is_none_or(|end| at <= end + AFTERMATH);
        self.hangs.lock().iter().any(may)
    }

    /// The same for now.
    pub(crate) fn may_hang(&self) -> bool {
        self.may_have_hung(SystemClock.now().as_micros())
    }

    /// What is known of a response.
    pub(crate) fn seen(&self, id: &str) -> Option<Seen> {
        self.responses.lock().get(id).cloned()
    }

    /// What is known of a response now that something is asked about it.
    pub(crate) fn before(&self, id: &str) -> Before {
        let responses = self.responses.lock();
        let known =
            |seen: &Seen| Before { text: seen.text.len(), ended: seen.ended.is_some(), deletion: seen.deletion };
        responses.get(id).map(known).unwrap_or_default()
    }

    /// How many events of it were seen.
    pub(crate) fn frames(&self, id: &str) -> u64 {
        self.responses.lock().get(id).map_or(0, |seen| seen.frames.len() as u64)
    }

    /// The ids of all.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.responses.lock().keys().cloned().collect()
    }

    /// An event came.
    pub(crate) fn frame(&self, id: &str, frame: &Frame) {
        let mut responses = self.responses.lock();
        let seen = responses.entry(id.to_owned()).or_default();
        let place = usize::try_from(frame.sequence_number).unwrap_or(usize::MAX);
        match seen.frames.get(place) {
            Some(known) if **known == *frame.text => {}
            Some(known) => {
                let both = format!("{known:?} and {:?}", frame.text);
                drop(responses);
                return self.violation("two_events_of_one_number", id, &format_args!("number {place}: {both}"));
            }
            None if place == seen.frames.len() => {
                seen.frames.push(frame.text.clone().into());
                seen.text.push_str(frame.delta().unwrap_or_default());
            }
            None => {
                let held = seen.frames.len();
                drop(responses);
                let what = format_args!("number {place} came and {held} were known");
                return self.violation("a_gap_in_the_numbers", id, &what);
            }
        }
        drop(responses);
        if let Some(object) = frame.terminal() {
            self.object(id, object, &Before::default(), "a terminal event");
        }
    }

    /// The object was told, to somebody who asked when `before` was known.
    pub(crate) fn object(&self, id: &str, object: &Value, before: &Before, by: &str) {
        let status = object["status"].as_str().unwrap_or_default().to_owned();
        let text = text_of(object);
        let known = self.seen(id).unwrap_or_default();
        if !known.text.get(..before.text).is_some_and(|seen| text.starts_with(seen)) {
            let what = format_args!("{by}: {} bytes were seen before, {} are there", before.text, text.len());
            self.violation("text_seen_but_not_readable", id, &what);
        }
        match status.as_str() {
            "queued" | "in_progress" if before.ended => {
                self.violation("alive_after_its_end", id, &format_args!("{by} says {status}"));
            }
            "queued" | "in_progress" => {}
            "completed" | "failed" | "incomplete" | "cancelled" => {
                self.ended(id, Ended { status, object: Some(object.to_string()) }, by);
            }
            _ => self.violation("no_status", id, &format_args!("{by}: {object}")),
        }
        if before.deletion == Deletion::Done {
            self.violation("deleted_and_there", id, &by);
        }
    }

    /// Somebody was told how it ended.
    pub(crate) fn ended(&self, id: &str, ended: Ended, by: &str) {
        let mut responses = self.responses.lock();
        let seen = responses.entry(id.to_owned()).or_default();
        let Some(known) = &mut seen.ended else {
            seen.ended = Some(ended);
            return;
        };
        let other = known.status != ended.status
            || (known.object.is_some() && ended.object.is_some() && known.object != ended.object);
        if other {
            let both = format!("{known:?} and, by {by}, {ended:?}");
            drop(responses);
            self.violation("two_endings", id, &both);
        } else if known.object.is_none() {
            known.object = ended.object;
        }
    }

    pub(crate) fn cancel_asked(&self, id: &str) {
        self.responses.lock().entry(id.to_owned()).or_default().cancel_asked = true;
    }

    pub(crate) fn deletion(&self, id: &str, deletion: Deletion) {
        let mut responses = self.responses.lock();
        let seen = responses.entry(id.to_owned()).or_default();
        seen.deletion = seen.deletion.max(deletion);
    }

    /// Something that must never happen.
    pub(crate) fn violation(&self, kind: &str, id: &str, what: &dyn fmt::Display) {
        let mut violations = self.violations.lock();
        if violations.len() < MOST_VIOLATIONS {
            let visit = self.responses.lock().get(id).map_or(String::new(), |seen| format!(" (visit {})", seen.visit));
            violations.push(format!("{kind}: {id}{visit}: {what}"));
        }
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().clone()
    }
}

/// The text of the messages that a response object holds.
pub(crate) fn text_of(response: &Value) -> String {
    let items = response["output"].as_array().into_iter().flatten();
    let parts = items.flat_map(|item| item["content"].as_array().into_iter().flatten());
    parts.filter_map(|part| part["text"].as_str()).collect()
}
