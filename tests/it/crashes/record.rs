//! What is to be true after a crash, whatever the point and the story.

use std::time::Duration;

use antiphon::{protocol::ResponseId, testkit::RecordedRequest};

use super::stories::{Asked, Story, WHOLE, World};
use crate::support::{Answer, Client, Site, texts};

/// How long the responses may take to end before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The responses of a database.
#[derive(Debug)]
pub(super) struct Rows(Vec<Row>);

/// What the database has of a response in plain columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    id: String,
    status: String,
    cause: String,
    ended_at: String,
    is_stored: bool,
}

impl Rows {
    pub(super) async fn of(site: &Site) -> Self {
        let columns =
            "uuid || '|' || status || '|' || COALESCE(cause, '') || '|' || COALESCE(CAST(ended_at AS TEXT), '')";
        let sql = format!("SELECT {columns} || CASE WHEN stored THEN '|stored' ELSE '|' END FROM responses");
        let rows = texts(&site.script().await, &sql).await;
        let row = |text: &String| {
            let [id, status, cause, ended_at, stored]: [&str; 5] =
                text.split('|').collect::<Vec<_>>().try_into().expect("five columns");
            let [id, status, cause, ended_at] = [id, status, cause, ended_at].map(str::to_owned);
            Row { id, status, cause, ended_at, is_stored: stored == "stored" }
        };
        Self(rows.iter().map(row).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many have not ended.
    pub(super) fn open(&self) -> usize {
        self.0.iter().filter(|row| !row.has_ended()).count()
    }

    fn get(&self, id: &str) -> Option<&Row> {
        self.0.iter().find(|row| row.id == id)
    }
}

impl Row {
    fn has_ended(&self) -> bool {
        !self.ended_at.is_empty()
    }

    fn response_id(&self) -> String {
        ResponseId::from_uuid(self.id.parse().unwrap()).to_string()
    }
}

/// Everything: `left` is what the database held when the process was dead, and `told` what its clients were told.
pub(super) async fn check(world: &World, client: &Client, (told, left): (&[Asked], &Rows)) {
    all_end(&world.site).await;
    let rows = Rows::of(&world.site).await;
    for asked in told {
        knew_the_truth(world.story, asked, left);
    }
    for row in &left.0 {
        keeps_its_course(world.story, row, rows.get(&row.id));
    }
    assert!(rows.0.iter().all(|row| left.get(&row.id).is_some()), "a response out of nothing: {rows:?}");
    for row in &rows.0 {
        ended_truly(world.story, row);
        if row.is_stored {
            let asked = told.iter().find(|asked| asked.row().as_ref() == Some(&row.id));
            reads_as_it_was_seen(client, row, asked).await;
        }
    }
    usage_is_settled(world, told, (left, &rows)).await;
    if world.story == Story::Deleted {
        deleted_stays_deleted(world, client, told).await;
    } else {
        for asked in told {
            repeats(client, asked, &rows).await;
        }
        assert_eq!(Rows::of(&world.site).await.0.len(), told.len(), "each request has its one response");
    }
    asked_once(world, told, &rows);
}

/// All responses end, with nobody who asks for them.
async fn all_end(site: &Site) {
    let script = site.script().await;
    let ended = async {
        while !texts(&script, "SELECT uuid FROM responses WHERE ended_at IS NULL").await.is_empty() {
            // The server needs the processor more.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, ended).await.is_ok(), "not all end: {:?}", Rows::of(site).await);
}

/// A client was told of nothing that was not durable.
fn knew_the_truth(story: Story, asked: &Asked, left: &Rows) {
    let Some(id) = asked.row() else { return };
    let Some(row) = left.get(&id) else {
        return assert_eq!(story, Story::Deleted, "a client was told of a response that was not durable");
    };
    let saw_the_end = asked.frames.last().is_some_and(|frame| ends(frame));
    assert!(row.has_ended() || !saw_the_end, "a client was told of an ending that was not durable");
}

/// What had ended stays as it is, and what waited in line or is kept by its provider is gone on with.
fn keeps_its_course(story: Story, before: &Row, after: Option<&Row>) {
    let Some(after) = after else { unreachable!("lost: {before:?}") };
    if before.has_ended() {
        assert_eq!(after, before, "an ending has changed");
    } else if before.status == "queued" || story == Story::LostToTheFar {
        assert_eq!(after.status, "completed", "{before:?} was not gone on with");
    }
}

fn ended_truly(story: Story, row: &Row) {
    let stopped = matches!(story, Story::Cancelled | Story::Deleted);
    match (row.status.as_str(), row.cause.as_str()) {
        ("completed", "") => assert!(story != Story::Refused && !stopped, "{row:?}"),
        ("cancelled", "") => assert!(stopped, "{row:?}"),
        ("failed", "server_interrupted") => {}
        ("failed", "provider_unavailable") => assert_eq!(story, Story::Refused),
        _ => unreachable!("no such ending follows from a crash: {row:?}"),
    }
}

/// The stream, the object and what clients saw are one.
async fn reads_as_it_was_seen(client: &Client, row: &Row, asked: Option<&Asked>) {
    let id = row.response_id();
    let mut replay = client.replay(&id).await;
    let last = replay.read_all().await;
    let (read, text) = (client.retrieve(&id).await, replay.text());
    let numbers: Vec<u64> = replay.data().iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
    assert!(numbers.iter().copied().eq(0..replay.frames.len() as u64), "{numbers:?}");
    assert_eq!(replay.frames.iter().position(|frame| ends(frame)), Some(replay.frames.len() - 1));
    assert_eq!((read.json(), read.output_text()), (last["response"].clone(), text.clone()));
    assert_eq!(read.json()["status"], row.status.as_str());
    assert!(if row.status == "completed" { text == WHOLE } else { WHOLE.starts_with(&text) }, "{text:?}: {row:?}");
    if let Some(asked) = asked {
        assert!(replay.frames.starts_with(&asked.frames), "{:#?} is not how {:#?} begins", asked.frames, replay.frames);
        assert!(text.starts_with(&asked.text), "{:?} was seen, and {text:?} is left", asked.text);
    }
}

/// One record for each turn that was tried, and here each response has one turn.
async fn usage_is_settled(world: &World, told: &[Asked], (left, rows): (&Rows, &Rows)) {
    let script = world.site.script().await;
    let mut settled = texts(&script, "SELECT response FROM usage_records").await;
    let deleted = told.iter().filter_map(Asked::row).filter(|id| rows.get(id).is_none());
    let mut accepted: Vec<String> = rows.0.iter().map(|row| row.id.clone()).chain(deleted).collect();
    settled.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(settled, accepted, "not each response that was accepted has its usage");
    // What a provider reports after its finish is not durable before the ending, and then estimated.
    let reported = "SELECT response FROM usage_records WHERE NOT estimated AND total_tokens NOT IN (0, 11)";
    assert_eq!(texts(&script, reported).await, [""; 0], "the usage is not what the provider reported");
    for row in left.0.iter().filter(|row| row.status == "completed") {
        let estimated = format!("SELECT response FROM usage_records WHERE estimated AND response = '{}'", row.id);
        assert_eq!(texts(&script, &estimated).await, [""; 0], "the provider's report is not settled");
    }
}

/// A repeated request is answered with the response of the first one if that was accepted, and else becomes one.
async fn repeats(client: &Client, asked: &Asked, rows: &Rows) {
    let answer = Answer::of(asked.request(client)).await;
    let is_refused = asked.body["model"] == "bad";
    match asked.row().as_ref().map_or(rows.0.first(), |id| rows.get(id)) {
        Some(row) if !row.is_stored => assert_eq!(answer.error().1.as_deref(), Some("idempotency_result_not_stored")),
        Some(_) if answer.status == 200 => {
            let seen: String = asked.frames.iter().map(|frame| format!("{frame}\n\n")).collect();
            assert!(answer.text.starts_with(&seen) && asked.id.iter().all(|id| answer.text.contains(id)));
        }
        // Nothing came out of it.
        Some(row) => assert!(row.status == "failed" && answer.status >= 500, "{row:?}: {answer:?}"),
        None => assert_eq!(answer.status == 200, !is_refused, "{answer:?}"),
    }
}

async fn deleted_stays_deleted(world: &World, client: &Client, told: &[Asked]) {
    for id in told.iter().filter_map(|asked| asked.id.as_ref()) {
        if client.retrieve(id).await.status == 200 {
            assert_eq!(client.delete(id).await.status, 200);
        }
        assert_eq!(client.retrieve(id).await.status, 404);
    }
    assert!(Rows::of(&world.site).await.is_empty());
}

/// No provider is asked twice for a response, also by a request that was repeated.
fn asked_once(world: &World, told: &[Asked], rows: &Rows) {
    let requests = world.provider.requests();
    for asked in told {
        let words = |request: &&RecordedRequest| {
            request.body["messages"]
                .as_array()
                .is_some_and(|said| said.iter().any(|word| word["content"] == asked.body["input"]))
        };
        let times = requests.iter().filter(words).count();
        let completed = asked.row().and_then(|id| rows.get(&id)).is_some_and(|row| row.status == "completed");
        assert!(times <= 1 && (times == 1 || !completed), "the provider was asked {times} times for {asked:?}");
    }
}

/// Whether the event is a terminal one.
fn ends(frame: &str) -> bool {
    ["completed", "failed", "incomplete"].iter().any(|kind| frame.starts_with(&format!("event: response.{kind}\n")))
}
