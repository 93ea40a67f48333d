//! One client from its first request to its last.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::asides::{self, Subject};
use super::http::send;
use super::posting::Posting;
use super::reading::{Left, Reader};
use super::{Answer, Http, Lost};
use crate::plan::Visit;
use crate::tally::Tally;
use crate::witness::{Deletion, Witness};

/// Between two tries of a client whose server does not answer.
const PAUSE: Duration = Duration::from_millis(60);
/// How many ended responses are kept to go on from.
const MOST_ENDED: usize = 64;
/// The longest chain.
const LONGEST_CHAIN: usize = 5;

/// What all visits have in common.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) witness: Arc<Witness>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) http: Http,
    /// When clients stop coming back.
    pub(crate) over: Instant,
    /// Responses that have ended, each with those that it goes on from, itself first.
    pub(crate) ended: Mutex<VecDeque<Vec<String>>>,
}

impl Story {
    /// The client of a visit's user.
    pub(super) fn http(&self, visit: &Visit) -> Http {
        self.http.of(visit.user)
    }

    /// Whether somebody has asked to delete the user of a visit.
    pub(super) fn is_leaving(&self, visit: &Visit) -> bool {
        visit.user.is_some_and(|user| self.witness.user_deletion(user) >= Deletion::Asked)
    }

    pub(super) fn goes_on(&self) -> bool {
        Instant::now() < self.over
    }

    /// A connection was left.
    fn note(&self, left: Left) {
        match left {
            Left::Ended => {}
            Left::Early => self.tally.count("drops"),
            Left::Broken => self.tally.count("lost_streams"),
        }
    }

    /// A response to go on from, and those that it goes on from; none if the visit goes on from nothing.
    fn previous(&self, visit: &Visit) -> Vec<String> {
        let ended = self.ended.lock();
        let place = visit.number as usize % ended.len().max(1);
        ended.get(place).filter(|_| visit.chained).cloned().unwrap_or_default()
    }

    fn keep(&self, chain: Vec<String>) {
        let mut ended = self.ended.lock();
        if chain.len() <= LONGEST_CHAIN {
            ended.push_back(chain);
        }
        if ended.len() > MOST_ENDED {
            ended.pop_front();
        }
    }
}

/// A whole visit.
pub(crate) async fn visit(story: &Story, visit: &Visit) {
    let previous = story.previous(visit);
    let posting = Posting::of(visit, previous.first().map(String::as_str));
    let (tell, told) = watch::channel(None);
    let subject = Subject { story, visit, posting: &posting, previous: &previous };
    let main = main_connection(&subject, tell);
    let asides = visit.asides.iter().map(|(after, aside)| {
        let mut told = told.clone();
        let subject = &subject;
        async move {
            sleep(*after).await;
            if asides::needs_id(*aside, visit) {
                // Without an id nobody can ask for anything.
                let _nobody = told.wait_for(Option::is_some).await;
            }
            let id = told.borrow().clone();
            subject.carry_out(*aside, id.as_deref()).await;
        }
    });
    join(main, join_all(asides)).await;
    let id = told.borrow().clone();
    let Some(id) = id.filter(|id| visit.form.store && story.witness.before(id).ended) else { return };
    if visit.user.is_none() {
        story.keep(std::iter::once(&id).chain(&previous).cloned().collect());
    }
    for aside in &visit.afterwards {
        subject.carry_out(*aside, Some(&id)).await;
    }
}

async fn main_connection(subject: &Subject<'_>, tell: watch::Sender<Option<String>>) {
    let Subject { story, visit, .. } = *subject;
    let mut reader = Reader { story, visit, id: None, next: 0, ended: false, tell: Some(tell) };
    let mut leaves = visit.leaves.iter();
    let mut server = visit.server;
    loop {
        match send(subject.posting.request(&story.http(visit), server)).await {
            Ok(Answer::Stream(frames)) => {
                let leave = leaves.next();
                let left = reader.read(frames, leave.map(|(events, _)| *events)).await;
                story.note(left);
                return come_back(&mut reader, left, leaves.as_slice(), leave.map(|(_, pause)| *pause)).await;
            }
            Ok(Answer::Whole(200, object)) => return told_object(&mut reader, &object).await,
            Ok(Answer::Whole(status, body)) => return subject.refused_post(status, &body, reader.id.as_deref()),
            Err(Lost::Connection) if visit.keyed && visit.returns && story.goes_on() => {
                story.tally.count("retries");
                story.witness.fruitless(visit.number);
                server += 1;
                sleep(PAUSE).await;
            }
            Err(lost) => return subject.lost_post(&lost),
        }
    }
}

/// The answer to a request for a response that is not streamed.
async fn told_object(reader: &mut Reader<'_>, object: &Value) {
    let Some(id) = object["id"].as_str() else {
        let nobody = format!("visit {}", reader.visit.number);
        return reader.story.witness.violation("no_id", &nobody, object);
    };
    reader.learn(id);
    let before = reader.story.witness.before(id);
    let before = crate::witness::Before { text: 0, ended: false, ..before };
    reader.story.witness.object(id, object, &before, "the answer to POST");
    if reader.visit.form.background && reader.visit.returns {
        come_back(reader, Left::Early, &[], None).await;
    }
}

/// Reads on from where the client was, on one connection after the other, until it has all.
async fn come_back(reader: &mut Reader<'_>, mut left: Left, leaves: &[(u64, Duration)], mut pause: Option<Duration>) {
    let (story, visit) = (reader.story, reader.visit);
    let mut leaves = leaves.iter();
    let mut server = visit.server;
    while left != Left::Ended && story.goes_on() {
        let Some(id) = reader.id.clone() else { return };
        if !visit.returns || !visit.form.store {
            return;
        }
        sleep(pause.take().unwrap_or(PAUSE)).await;
        let subject = Subject { story, visit, posting: &Posting::of(visit, None), previous: &[] };
        match send(asides::stream(story, visit, (server, &id, reader.next))).await {
            Ok(Answer::Stream(frames)) => {
                story.tally.count("resumes");
                let leave = leaves.next();
                pause = leave.map(|(_, pause)| *pause);
                left = reader.read(frames, leave.map(|(events, _)| *events)).await;
                story.note(left);
            }
            Ok(Answer::Whole(status, body)) => {
                subject.refused("GET stream", (status, &body), &id);
                if matches!(status, 401 | 404) {
                    return;
                }
                server += 1;
            }
            Err(Lost::Connection) => server += 1,
            Err(lost) => return subject.lost("GET stream", &lost),
        }
    }
}
