//! What clients do with a response besides reading it as it comes.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::time::sleep;

use super::http::send;
use super::posting::Posting;
use super::reading::Reader;
use super::{Answer, Lost, Story};
use crate::plan::{Aside, Visit};
use crate::witness::{Before, Deletion, Ended};

/// How often a request is sent again where no server takes it.
const TRIES: usize = 40;
const PAUSE: Duration = Duration::from_millis(60);

/// Whose response it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) story: &'a Story,
    pub(super) visit: &'a Visit,
    pub(super) posting: &'a Posting,
    /// What it goes on from, directly or not. It can't once one of them is deleted.
    pub(super) previous: &'a [String],
}

/// Whether it can't be done before the response's id is known.
pub(super) fn needs_id(aside: Aside, visit: &Visit) -> bool {
    match aside {
        Aside::Repeat => !visit.keyed,
        Aside::Retrieve | Aside::Cancel | Aside::Delete | Aside::Watch(..) | Aside::Misuse => true,
    }
}

/// A request for the events of a response from that number on.
pub(super) fn stream(story: &Story, visit: &Visit, (server, id, next): (usize, &str, u64)) -> Option<RequestBuilder> {
    let mut path = format!("/{id}?stream=true");
    if visit.obfuscated && visit.form.stream {
        path.push_str("&include_obfuscation=true");
    }
    if let Some(seen) = next.checked_sub(1) {
        path.push_str(&format!("&starting_after={seen}"));
    }
    story.http(visit).request(server, Method::GET, &path)
}

impl Subject<'_> {
    pub(super) async fn carry_out(&self, aside: Aside, id: Option<&str>) {
        match (aside, id) {
            (Aside::Repeat, _) if self.posting.has_key() => self.repeat(id).await,
            (Aside::Misuse, Some(id)) if self.posting.has_key() => self.misuse(id).await,
            (Aside::Retrieve | Aside::Repeat | Aside::Misuse, Some(id)) => self.retrieve(id).await,
            (Aside::Cancel, Some(id)) => self.cancel(id).await,
            (Aside::Delete, Some(id)) => self.delete(id).await,
            (Aside::Watch(percent, most), Some(id)) => self.watch(id, percent, most).await,
            (
                Aside::Retrieve | Aside::Repeat | Aside::Misuse | Aside::Cancel | Aside::Delete | Aside::Watch(..),
                None,
            ) => {}
        }
    }

    async fn retrieve(&self, id: &str) {
        let before = self.story.witness.before(id);
        match send(self.to(0, Method::GET, &format!("/{id}"))).await {
            Ok(Answer::Whole(200, object)) => self.story.witness.object(id, &object, &before, "GET"),
            Ok(Answer::Whole(status, body)) => self.refused("GET", (status, &body), id),
            Ok(Answer::Stream(_)) => self.violation("an_uninvited_stream", id, &"GET"),
            Err(lost) => self.lost("GET", &lost),
        }
    }

    async fn cancel(&self, id: &str) {
        self.story.tally.count("cancels");
        self.story.witness.cancel_asked(id);
        for server in 0..TRIES {
            let before = self.story.witness.before(id);
            match send(self.to(server, Method::POST, &format!("/{id}/cancel"))).await {
                Ok(Answer::Whole(200, object)) if object["status"] == "cancelled" => {
                    self.story.tally.count("cancelled");
                    return self.story.witness.object(id, &object, &before, "cancel");
                }
                Ok(Answer::Whole(400, body)) => return self.too_late(id, &body),
                Ok(Answer::Whole(503, _)) | Err(Lost::Connection) if self.story.goes_on() => sleep(PAUSE).await,
                Ok(Answer::Whole(status, body)) => return self.refused("cancel", (status, &body), id),
                Ok(Answer::Stream(_)) => return self.violation("an_uninvited_stream", id, &"cancel"),
                Err(lost) => return self.lost("cancel", &lost),
            }
        }
    }

    /// `Cannot cancel a completed response.` says how it ended.
    fn too_late(&self, id: &str, body: &Value) {
        let message = body["error"]["message"].as_str().unwrap_or_default();
        match message.split(' ').nth(3) {
            Some(status @ ("completed" | "failed" | "incomplete")) => {
                let ended = Ended { status: status.to_owned(), object: None };
                self.story.witness.ended(id, ended, "a cancel that came too late");
            }
            _ => self.violation("a_strange_refusal", id, body),
        }
    }

    async fn delete(&self, id: &str) {
        self.story.tally.count("deletes");
        // It cancels first.
        self.story.witness.cancel_asked(id);
        for server in 0..TRIES {
            let before = self.story.witness.before(id);
            if self.visit.form.store {
                self.story.witness.deletion(id, Deletion::Asked);
            }
            match send(self.to(server, Method::DELETE, &format!("/{id}"))).await {
                Ok(Answer::Whole(200, _)) => {
                    if before.deletion == Deletion::Done {
                        self.violation("deleted_twice", id, &"the second deletion was no 404");
                    }
                    self.story.tally.count("deleted");
                    return self.story.witness.deletion(id, Deletion::Done);
                }
                Ok(Answer::Whole(503, _)) | Err(Lost::Connection) if self.story.goes_on() => sleep(PAUSE).await,
                // It is gone: by an earlier try whose answer was lost, or by somebody else.
                Ok(Answer::Whole(404, _)) if before.deletion >= Deletion::Asked => {
                    return self.story.witness.deletion(id, Deletion::Done);
                }
                Ok(Answer::Whole(status, body)) => return self.refused("DELETE", (status, &body), id),
                Ok(Answer::Stream(_)) => return self.violation("an_uninvited_stream", id, &"DELETE"),
                Err(lost) => return self.lost("DELETE", &lost),
            }
        }
    }

    async fn watch(&self, id: &str, percent: u64, most: u64) {
        let next = self.story.witness.frames(id) * percent / 100;
        let (story, visit) = (self.story, self.visit);
        match send(stream(story, visit, (visit.server + 1, id, next))).await {
            Ok(Answer::Stream(frames)) => {
                story.tally.count("second_readers");
                let mut reader = Reader { story, visit, id: Some(id.to_owned()), next, ended: false, tell: None };
                reader.read(frames, Some(most)).await;
            }
            Ok(Answer::Whole(status, body)) => self.refused("GET stream", (status, &body), id),
            Err(lost) => self.lost("GET stream", &lost),
        }
    }

    /// The same request again: it must lead to the same response.
    async fn repeat(&self, id: Option<&str>) {
        self.story.tally.count("retries");
        let (story, visit) = (self.story, self.visit);
        let mut reader = Reader { story, visit, id: id.map(str::to_owned), next: 0, ended: false, tell: None };
        match send(self.posting.request(&story.http(visit), visit.server + 1)).await {
            Ok(Answer::Stream(frames)) => {
                reader.read(frames, None).await;
            }
            Ok(Answer::Whole(200, object)) => {
                let told = object["id"].as_str().unwrap_or_default();
                let before = Before { text: 0, ..Before::default() };
                reader.learn(told);
                story.witness.object(told, &object, &before, "a repeated POST");
            }
            Ok(Answer::Whole(status, body)) => self.refused_post(status, &body, id),
            Err(lost) => self.lost_post(&lost),
        }
    }

    async fn misuse(&self, id: &str) {
        self.story.tally.count("misuses");
        match send(self.posting.misuse(&self.story.http(self.visit), self.visit.server)).await {
            Ok(Answer::Whole(409, body)) if body["error"]["code"] == "idempotency_key_reused" => {}
            Ok(Answer::Whole(503, _)) | Err(Lost::Connection) => {}
            Ok(Answer::Whole(401, _)) if self.story.is_leaving(self.visit) => {}
            Ok(Answer::Whole(status, body)) => {
                self.violation("a_key_for_two_bodies", id, &format_args!("{status}: {body}"));
            }
            Ok(Answer::Stream(_)) => self.violation("a_key_for_two_bodies", id, &"a stream"),
            Err(lost) => self.lost("POST", &lost),
        }
    }

    fn to(&self, server: usize, method: Method, path: &str) -> Option<RequestBuilder> {
        self.story.http(self.visit).request(self.visit.server + server, method, path)
    }

    /// A request about a response was refused: is there a reason?
    pub(super) fn refused(&self, what: &str, (status, body): (u16, &Value), id: &str) {
        self.story.tally.count(&format!("refusals.{what} {status}"));
        let gone = self.story.witness.before(id).deletion >= Deletion::Asked || !self.visit.form.store;
        let leaves = matches!(status, 401 | 404) && self.story.is_leaving(self.visit);
        if status != 503 && !(status == 404 && gone) && !leaves {
            self.violation("refused", id, &format_args!("{what}: {status}: {body}"));
        }
    }

    /// A request for a response was refused: is there a reason?
    pub(super) fn refused_post(&self, status: u16, body: &Value, id: Option<&str>) {
        self.story.witness.fruitless(self.visit.number);
        let code = body["error"]["code"].as_str().unwrap_or("none");
        self.story.tally.count(&format!("refusals.POST {status} {code}"));
        let before = |id: &str| self.story.witness.before(id).deletion >= Deletion::Asked;
        let reason = match (status, code) {
            (429 | 502..=504, _) => true,
            (401 | 404 | 409, _) if self.story.is_leaving(self.visit) => true,
            (500, _) => self.story.witness.may_hang(),
            (400, "previous_response_not_found") => self.previous.iter().any(|id| before(id)),
            (409, "idempotency_result_not_stored") => {
                self.posting.has_key() && (!self.visit.form.store || id.is_some_and(before))
            }
            _ => false,
        };
        if !reason {
            let nobody = format!("visit {}", self.visit.number);
            self.violation("refused", id.unwrap_or(&nobody), &format_args!("POST: {status}: {body}"));
        }
    }

    /// A connection was lost, which happens; that a server is silent or says nonsense does not.
    pub(super) fn lost(&self, what: &str, lost: &Lost) {
        let nobody = format!("visit {}", self.visit.number);
        match lost {
            Lost::Connection => self.story.tally.count(&format!("lost.{what}")),
            Lost::Silent => self.violation("silence", &nobody, &what),
            Lost::Nonsense(error) => self.violation("nonsense", &nobody, &format_args!("{what}: {error:#}")),
        }
    }

    /// So was the answer to a request for a response.
    pub(super) fn lost_post(&self, lost: &Lost) {
        self.story.witness.fruitless(self.visit.number);
        self.lost("POST", lost);
    }

    fn violation(&self, kind: &str, id: &str, what: &dyn std::fmt::Display) {
        self.story.witness.violation(kind, id, what);
    }
}
