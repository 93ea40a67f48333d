//! The ending matrix: whatever ends, hangs or fails, at whichever point, a response reaches the one ending
//! that the design names; nothing that was seen is lost; nobody is left alive.

use std::time::Duration;

use antiphon::{
    actors::{ActorRole, Label, ProviderOptions, supervision::Fault},
    domain::{ProviderRejection, RetryPolicy},
    protocol::{ResponseId, Status},
    provider::{Error, Report},
    testkit::{Call, TestClient, TestNode, impatient},
    vault::CiphertextContext,
};
use futures_util::{StreamExt, stream};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

/// How many cases run side by side: most of them wait for a hang to be found.
const CONCURRENT: usize = 6;

/// How far a response is when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    BeforeOpen,
    Opened,
    InText,
    FinishSeen,
    CommitInFlight,
    Terminal,
}

const PHASES: [Phase; 6] =
    [Phase::BeforeOpen, Phase::Opened, Phase::InText, Phase::FinishSeen, Phase::CommitInFlight, Phase::Terminal];

/// What happens.
#[derive(Debug, Clone)]
enum Mishap {
    Actor(ActorRole, Fault),
    ClientGone,
    ProviderFails(Error),
    /// In a way after which it is asked again; then it answers.
    ProviderFailsOnce(Error),
    ProviderPanics,
    ProviderCloses,
    /// It says more, and closes: behind its finish, that is output behind the reason.
    ProviderSaysMore,
}

/// The status, and the cause that the column has.
type Expected = (Status, Option<&'static str>);

const COMPLETED: Expected = (Status::Completed, None);
const BROKEN: Expected = (Status::Failed, Some("internal_error"));

/// The ending that the design names.
fn expected(mishap: &Mishap, phase: Phase) -> Expected {
    // Once the finish is in the log, every fold completes.
    if phase >= Phase::FinishSeen {
        return COMPLETED;
    }
    match mishap {
        Mishap::Actor(ActorRole::ProviderReader | ActorRole::ResponseSupervisor, _) | Mishap::ProviderPanics => BROKEN,
        // A response needs no registry to go on, and ends before the hang is found.
        Mishap::Actor(ActorRole::ResponseRegistry, Fault::Hang) => COMPLETED,
        Mishap::Actor(ActorRole::ResponseRegistry, _) => (Status::Failed, Some("server_interrupted")),
        Mishap::Actor(..) => COMPLETED,
        Mishap::ClientGone => (Status::Incomplete, None),
        Mishap::ProviderFailsOnce(_) if phase < Phase::InText => COMPLETED,
        Mishap::ProviderFails(error) | Mishap::ProviderFailsOnce(error) => {
            (Status::Failed, Some(error.cause().as_str()))
        }
        Mishap::ProviderCloses | Mishap::ProviderSaysMore => (Status::Failed, Some("upstream_closed")),
    }
}

fn rejection() -> Box<ProviderRejection> {
    Box::new(ProviderRejection::of_status(400))
}

/// The provider's word that the request is at fault.
fn refused() -> Report {
    Report::RequestRejected(rejection())
}

fn mishaps() -> Vec<Mishap> {
    let roles = [
        ActorRole::ProviderReader,
        ActorRole::PersistenceAccumulator,
        ActorRole::ClientEmitter,
        ActorRole::ResponseSupervisor,
        ActorRole::ResponseRegistry,
        ActorRole::JournalWriter,
    ];
    let faults = [Fault::Panic, Fault::Stop, Fault::Hang];
    let errors = [
        Error::Unreachable,
        Error::ConnectTimeout,
        Error::FirstByteTimeout,
        Error::IdleTimeout,
        Error::Status { status: 401, retry_after: None, report: Report::Other },
        Error::Status { status: 429, retry_after: None, report: Report::Other },
        Error::Status { status: 400, retry_after: None, report: Report::Other },
        Error::Status { status: 500, retry_after: None, report: Report::Other },
        Error::Protocol { what: "a reason to finish that is not known" },
        Error::Empty { what: "output was counted" },
        Error::Reported(Report::Other),
        Error::Status { status: 400, retry_after: None, report: refused() },
        Error::Reported(refused()),
        Error::Status { status: 400, retry_after: None, report: Report::ContextTooLong(rejection()) },
        Error::Closed,
    ];
    let actors = roles.into_iter().flat_map(|role| faults.map(|fault| Mishap::Actor(role, fault)));
    let failures = errors.into_iter().map(Mishap::ProviderFails);
    let once = [
        Error::Unreachable,
        Error::Empty { what: "output was counted" },
        Error::OutOfResources,
        Error::Reported(Report::Overloaded),
    ];
    let failures = failures.chain(once.map(Mishap::ProviderFailsOnce));
    let others = [Mishap::ClientGone, Mishap::ProviderPanics, Mishap::ProviderCloses, Mishap::ProviderSaysMore];
    actors.chain(failures).chain(others).collect()
}

/// One response on a node of its own.
struct Case {
    node: TestNode,
    client: Option<TestClient>,
    call: Option<Call>,
}

impl Case {
    async fn start(mishap: &Mishap) -> Self {
        // What this server could not ask is asked again all the same.
        let is_retried = matches!(mishap, Mishap::ProviderFailsOnce(error) if *error != Error::OutOfResources);
        let max_retries = u32::from(is_retried);
        let retry = RetryPolicy { max_retries, base_delay: Duration::ZERO, ..RetryPolicy::default() };
        let limits = ProviderOptions { retry, ..ProviderOptions::default() };
        let node = TestNode::start_limited(impatient(), limits).await;
        let plan = node.plan();
        let mut client = node.respond(plan).await;
        client.read_until("response.in_progress").await;
        let call = node.provider.asked().await;
        Self { node, client: Some(client), call: Some(call) }
    }

    fn client(&mut self) -> &mut TestClient {
        self.client.as_mut().unwrap()
    }

    fn say(&self, say: impl FnOnce(&Call)) {
        if let Some(call) = &self.call {
            say(call);
        }
    }

    /// Brings the response from where it is to this phase.
    async fn advance(&mut self, phase: Phase) {
        match phase {
            Phase::BeforeOpen => {}
            Phase::Opened => self.say(Call::open),
            Phase::InText => {
                self.say(|call| call.text("Hello"));
                if let Some(client) = &mut self.client
                    && self.call.is_some()
                {
                    client.read_until("output_text.delta").await;
                }
            }
            Phase::FinishSeen => {
                self.say(Call::finish);
                if let Some(client) = &mut self.client
                    && self.call.is_some()
                {
                    client.read_until("output_item.done").await;
                }
            }
            Phase::CommitInFlight => {
                self.node.store.hold_commits();
                self.call = None;
                self.node.store.commit_held().await;
            }
            Phase::Terminal => self.node.store.release_commits(),
        }
    }

    async fn befall(&mut self, mishap: &Mishap) {
        match mishap {
            Mishap::Actor(role @ (ActorRole::ResponseRegistry | ActorRole::JournalWriter), fault) => {
                let roster = self.node.antiphon.roster().clone();
                assert_eq!(roster.inflict(Label::node(*role), *fault).await, 1);
                if *role == ActorRole::ResponseRegistry && *fault != Fault::Hang {
                    // Its responses go with it; only then does the test go on.
                    let supervisor = Label::of(ActorRole::ResponseSupervisor, self.client().id);
                    roster.wait_until(|live| live.iter().all(|actor| *actor != supervisor)).await;
                }
            }
            Mishap::Actor(role, fault) => {
                let label = Label::of(*role, self.client().id);
                self.node.antiphon.roster().inflict(label, *fault).await;
            }
            Mishap::ClientGone => {
                self.client = None;
                // Seen by the response before anybody else comes: its provider is hung up on.
                if let Some(call) = &self.call {
                    call.closed().await;
                }
            }
            Mishap::ProviderFails(error) | Mishap::ProviderFailsOnce(error) => {
                self.say(|call| call.fail(error.clone()));
            }
            Mishap::ProviderPanics => self.say(Call::panic),
            Mishap::ProviderCloses => self.call = None,
            Mishap::ProviderSaysMore => {
                self.say(|call| call.text(" and more"));
                self.call = None;
            }
        }
    }
}

async fn one(db: &DatabaseConnection, sql: &str) -> Vec<Option<String>> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.column_names().iter().map(|column| row.try_get("", column).unwrap()).collect()
}

async fn content(db: &DatabaseConnection, id: ResponseId) -> Option<Vec<u8>> {
    let sql = format!("SELECT content_enc FROM assistant_messages WHERE uuid = '{}'", id.uuid());
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    row.try_get("", "content_enc").unwrap()
}

/// Runs one case and says what is wrong with its end.
async fn run(mishap: &Mishap, phase: Phase) {
    let mut case = Case::start(mishap).await;
    let id = case.client().id;
    for earlier in PHASES.into_iter().filter(|earlier| *earlier <= phase) {
        case.advance(earlier).await;
    }
    case.befall(mishap).await;
    // What the mishap did not end goes on as if nothing had happened.
    if let Mishap::Actor(..) = mishap {
        for later in PHASES.into_iter().filter(|later| *later > phase) {
            match later {
                Phase::CommitInFlight => case.call = None,
                Phase::Terminal => case.node.store.release_commits(),
                Phase::BeforeOpen | Phase::Opened | Phase::InText => case.advance_unseen(later),
                Phase::FinishSeen => case.say(Call::finish),
            }
        }
    } else {
        case.node.store.release_commits();
        if matches!(mishap, Mishap::ProviderFailsOnce(_)) && phase < Phase::InText {
            case.call = Some(case.node.provider.asked().await);
            for later in [Phase::Opened, Phase::InText, Phase::FinishSeen] {
                case.advance(later).await;
            }
            case.call = None;
        }
        if phase >= Phase::FinishSeen {
            case.call = None;
        }
    }
    let seen = match case.client.take() {
        Some(mut client) => {
            client.read_all().await;
            assert!(client.ended, "the client saw the end");
            Some(client.frames)
        }
        None => None,
    };
    check(&case.node, id, seen, expected(mishap, phase)).await;
    let antiphon = case.node.antiphon.clone();
    antiphon.roster().wait_until(|live| live.iter().all(|actor| actor.response.is_none())).await;
    let roster = antiphon.roster().clone();
    drop((antiphon, case));
    roster.wait_until_empty(Duration::from_secs(30)).await.unwrap();
}

impl Case {
    fn advance_unseen(&self, phase: Phase) {
        match phase {
            Phase::Opened => self.say(Call::open),
            Phase::InText => self.say(|call| call.text("Hello")),
            Phase::BeforeOpen | Phase::FinishSeen | Phase::CommitInFlight | Phase::Terminal => {}
        }
    }
}

async fn check(node: &TestNode, id: ResponseId, seen: Option<Vec<String>>, expected: Expected) {
    let mut replay = node.replay(id).await;
    replay.read_all().await;
    if let Some(seen) = seen {
        assert_eq!(replay.frames, seen, "a replay is what was seen");
    }
    let (status, cause) = expected;
    let retrieved = node.antiphon.retrieve(node.user, id).await.unwrap();
    assert_eq!(retrieved.status, status);
    assert_eq!(retrieved.error.as_ref().map(|error| error.kind.as_ref()), cause);
    let db = Database::connect(&node.url).await.unwrap();
    let row = one(&db, "SELECT uuid, status FROM responses ORDER BY created_at DESC LIMIT 1").await;
    assert_eq!(row, [Some(id.uuid().to_string()), Some(status.as_str().to_owned())]);
    let sql = "SELECT uuid, status, finish_reason FROM assistant_messages ORDER BY created_at DESC LIMIT 1";
    let message = if status == Status::Completed { "completed" } else { "incomplete" };
    let finish_reason = (status == Status::Completed).then(|| "stop".to_owned());
    assert_eq!(one(&db, sql).await, [Some(id.uuid().to_string()), Some(message.to_owned()), finish_reason]);
    let content = content(&db, id).await;
    let key = node.vault.user_key(node.user).await.unwrap().response_key(id);
    let text = content.map(|bytes| key.open(CiphertextContext::Content, &bytes).unwrap());
    let text = text.map(|bytes| String::from_utf8(bytes).unwrap()).unwrap_or_default();
    assert_eq!(text, replay.text(), "what is stored is what was said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "which case failed, and how many ran, is what the test shows")]
async fn every_mishap_at_every_phase_has_its_one_ending() {
    let cases: Vec<_> = mishaps().into_iter().flat_map(|mishap| PHASES.map(|phase| (mishap.clone(), phase))).collect();
    let count = cases.len();
    let run_one = async |(mishap, phase): (Mishap, Phase)| {
        let case = tokio::spawn(async move {
            let limit = Duration::from_secs(30);
            tokio::time::timeout(limit, run(&mishap, phase)).await.map_err(|_| "never came to its end")
        });
        case.await
    };
    let failed: Vec<_> = stream::iter(cases)
        .map(|case| async { (format!("{:?} at {:?}", case.0, case.1), run_one(case).await) })
        .buffer_unordered(CONCURRENT)
        .filter_map(async |(name, result)| (!matches!(result, Ok(Ok(())))).then(|| format!("{name}: {result:?}")))
        .collect()
        .await;
    println!("the ending matrix ran {count} cases");
    assert!(failed.is_empty(), "{} of them failed:\n{}", failed.len(), failed.join("\n"));
}
