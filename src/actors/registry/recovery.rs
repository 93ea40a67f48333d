//! Looking after responses whose owner is gone: each is gone on with where that is possible, else settled.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::{Semaphore, oneshot};

use super::{
    ResponseRegistry,
    settle::{Claimed, Folded, Reason, claim, fold, settle},
};
use crate::actors::{
    lease::renewal_interval,
    node::Node,
    response_supervisor::{Leftover, RunOrigin},
};
use crate::domain::{Attempt, Fact, LostCall, ProviderEvent, Recovery, RunPlan, Target};
use crate::fault::{self, FaultPoint};
use crate::journal::{Log, LogError};
use crate::protocol::ResponseId;
use crate::refusal::Refusal;
use crate::store::{AccountError, Error, ResponseRow};
use crate::vault::{self, ResponseKey};

/// How many responses one sweep looks at, and how many are worked on side by side.
const BATCH: u32 = 1_000;
const CONCURRENT: usize = 32;

/// How long a sweep waits for one batch, so that one that can't be settled holds up no other for long.
const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE_WHEN_AWAY: Duration = Duration::from_secs(1);
const PAUSE_BEFORE_ANOTHER_LOOK: Duration = Duration::from_millis(250);

/// Looks, now and again for ever, for responses that have not ended and whose owner is gone: the last entries of a
/// former owner may become durable after the first look, and other nodes die at any time.
pub(super) async fn sweep(node: Arc<Node>, epoch: i64, registry: Addr<ResponseRegistry>) {
    loop {
        let rows = node.store.responses.orphaned(&node.name, epoch, BATCH).await;
        let pause = match rows {
            Ok(mut rows) => {
                if !node.ownership.may_take_over(node.settings.lease) {
                    rows.retain(|row| row.node == node.name);
                }
                let whole_batch = rows.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
                let recovered = rows.iter().map(|row| ask(&registry, row.id, Reason::NodeLost));
                let all = futures_util::future::join_all(recovered);
                let recovered = tokio::time::timeout(PATIENCE, all).await;
                if recovered.is_err() {
                    tracing::error!("some responses of a former owner could not be settled yet");
                }
                registry.do_send(Swept);
                // There are more behind those that are out of the way now.
                let made_room = recovered.is_ok_and(|all| all.iter().any(Result::is_ok));
                if whole_batch && made_room { Duration::ZERO } else { renewal_interval(node.settings.lease) }
            }
            Err(error) => {
                tracing::warn!(error = %error, "the recovery waits for the database");
                PAUSE_WHEN_AWAY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Has a response looked after whose owner is gone. Returns once it has ended or runs here.
///
/// # Errors
/// [`Refusal::DatabaseUnavailable`] if somebody else owns it, [`Refusal::Draining`] if this node is about to stop.
pub(super) async fn ask(registry: &Addr<ResponseRegistry>, id: ResponseId, reason: Reason) -> Result<(), Refusal> {
    let (done, told) = oneshot::channel();
    registry.do_send(Recover { id, reason, done });
    told.await.unwrap_or(Err(Refusal::DatabaseUnavailable))
}

/// Look after a response whose owner is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Recover {
    id: ResponseId,
    reason: Reason,
    done: oneshot::Sender<Result<(), Refusal>>,
}

/// A sweep has looked after all that it found.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Swept;

impl Handler<Swept> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, _: Swept, _: &mut Self::Context) {
        self.recoveries.swept = true;
        self.give_turns();
    }
}

type Waiting = Vec<oneshot::Sender<Result<(), Refusal>>>;

/// The responses that are being looked after.
#[derive(Debug)]
pub(super) struct Recoveries {
    under_way: HashMap<ResponseId, (Reason, Waiting)>,
    places: Arc<Semaphore>,
    /// Everything was looked at once: nobody older can turn up in the line any more.
    swept: bool,
}

impl Default for Recoveries {
    fn default() -> Self {
        Self { under_way: HashMap::new(), places: Arc::new(Semaphore::new(CONCURRENT)), swept: false }
    }
}

impl Recoveries {
    /// Whether every response that an earlier process left has been looked at.
    pub(super) fn has_swept(&self) -> bool {
        self.swept
    }

    /// Whether any response of this registry's own has lost its supervisor and has no ending yet.
    pub(super) fn has_orphans(&self) -> bool {
        self.under_way.values().any(|(reason, _)| *reason == Reason::SupervisorFailed)
    }
}

/// A response that can be gone on with.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) plan: RunPlan,
    pub(super) key: ResponseKey,
    pub(super) origin: RunOrigin,
    /// A provider is at work for it.
    pub(super) is_running: bool,
}

impl Handler<Recover> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, Recover { id, reason, done }: Recover, ctx: &mut Self::Context) {
        if self.running.contains_key(&id) {
            let _left = done.send(Ok(()));
        } else if self.draining && !self.recoveries.under_way.contains_key(&id) {
            let _left = done.send(Err(Refusal::Draining));
        } else {
            self.recover(id, reason, Some(done), ctx);
        }
    }
}

impl ResponseRegistry {
    /// Looks after a response until it has ended or runs here.
    pub(super) fn recover(
        &mut self,
        id: ResponseId,
        reason: Reason,
        done: Option<oneshot::Sender<Result<(), Refusal>>>,
        ctx: &mut Context<Self>,
    ) {
        if let Some((_, waiting)) = self.recoveries.under_way.get_mut(&id) {
            waiting.extend(done);
            return;
        }
        self.recoveries.under_way.insert(id, (reason, done.into_iter().collect()));
        let (node, epoch, places) = (Arc::clone(&self.node), self.epoch, Arc::clone(&self.recoveries.places));
        let work = async move {
            // Closed never.
            let _place = places.acquire().await;
            look_after(&node, epoch, id, reason).await
        };
        ctx.spawn(work.into_actor(self).map(move |found, registry, ctx| registry.recovered(id, found, ctx)));
    }

    fn recovered(&mut self, id: ResponseId, found: Result<Option<Box<Left>>, Refusal>, ctx: &mut Context<Self>) {
        let waiting = self.recoveries.under_way.remove(&id).map(|(_, waiting)| waiting).unwrap_or_default();
        let answer = match found {
            // It has this node's newest epoch, and so the next start finds it.
            Ok(Some(_)) if self.draining => Err(Refusal::Draining),
            Ok(Some(left)) => {
                fault::reach(FaultPoint::LeftoverFound);
                self.take_over(*left, ctx);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        for done in waiting {
            let _left = done.send(answer.clone());
        }
        self.report_drained();
    }
}

/// Ends a response, or finds that it can be gone on with. An absent database is waited for.
async fn look_after(
    node: &Arc<Node>,
    epoch: i64,
    id: ResponseId,
    reason: Reason,
) -> Result<Option<Box<Left>>, Refusal> {
    loop {
        match look(node, epoch, id, reason).await {
            Ok(Look::Over) => return Ok(None),
            Ok(Look::Taken) => return Err(Refusal::DatabaseUnavailable),
            Ok(Look::Left(left)) => return Ok(Some(left)),
            Ok(Look::Again) => {}
            Err(error) => tracing::warn!(response.id = %id, error = %error, "a response waits to be settled"),
        }
        tokio::time::sleep(PAUSE_BEFORE_ANOTHER_LOOK).await;
    }
}

enum Look {
    Over,
    Taken,
    Left(Box<Left>),
    Again,
}

async fn look(node: &Arc<Node>, epoch: i64, id: ResponseId, reason: Reason) -> Result<Look, Error> {
    let row = match claim(node, epoch, id).await? {
        Claimed::Mine(row) => row,
        Claimed::Over => return Ok(Look::Over),
        Claimed::Taken => return Ok(Look::Taken),
    };
    fault::reach(FaultPoint::LeftoverClaimed);
    let folded = match row.stored {
        true => match fold(node, &row).await {
            Ok(folded) => Some(folded),
            Err(LogError::Store(error) | LogError::Vault(vault::Error::Accounts(AccountError::Store(error)))) => {
                return Err(error);
            }
            Err(error @ LogError::Vault(vault::Error::Ring(_) | vault::Error::Randomness)) => {
                tracing::warn!(response.id = %id, error = %error, "a response waits to be settled");
                return Ok(Look::Again);
            }
            Err(error @ (LogError::Vault(_) | LogError::Codec(_) | LogError::Gap)) => {
                tracing::error!(response.id = %id, error = %error, "a response is settled without its log");
                None
            }
        },
        false => None,
    };
    if let Some(folded) = &folded
        && let Some(left) = left(node, &row, (folded, reason)).await?
    {
        return Ok(Look::Left(Box::new(left)));
    }
    Ok(if settle(node, epoch, &row, (folded, reason)).await { Look::Over } else { Look::Again })
}

/// The response as it can be gone on with, if it can.
async fn left(node: &Node, row: &ResponseRow, (folded, reason): (&Folded, Reason)) -> Result<Option<Left>, Error> {
    let Folded { log, transcript, last_segment } = folded;
    let (targets, heard) = match (transcript.recovery(), reason) {
        (Recovery::Run, Reason::NodeLost) if !node.models.is_empty() => (Vec::new(), Vec::new()),
        (Recovery::Reattach(call), Reason::NodeLost | Reason::Cancelled) if can_reattach(node, &call) => {
            // What could be folded can be read again, or the database is away.
            let Ok(heard) = heard(log, call.attempt).await else { return Ok(None) };
            (vec![target(node, &row.model, call)], heard)
        }
        (Recovery::Run | Recovery::Reattach(_) | Recovery::Settle, _) => return Ok(None),
    };
    let (Some(request), Some(run_policy)) = (transcript.request().cloned(), transcript.run_policy().cloned()) else {
        return Ok(None);
    };
    let encoding = node.models.get(&row.model).map(|model| model.encoding);
    let is_running = !targets.is_empty();
    let plan = RunPlan {
        id: row.id,
        user: row.user,
        request_id: run_policy.request_id,
        request: Arc::new(request),
        input: Vec::new(),
        prompt: Arc::default(),
        caller: run_policy.caller,
        targets,
        encoding: encoding.unwrap_or_default(),
        prompt_tokens: u32::try_from(row.prompt_tokens).unwrap_or(u32::MAX),
        disconnect: run_policy.disconnect,
        resumable: run_policy.resumable,
        // What the response claimed stays its own.
        idempotency: None,
    };
    let leftover = Leftover { transcript: transcript.clone(), last_segment: *last_segment, heard };
    let origin = RunOrigin::Left(Box::new(leftover));
    Ok(Some(Left { plan, key: log.key().clone(), origin, is_running }))
}

fn can_reattach(node: &Node, call: &LostCall) -> bool {
    node.upstreams.get(&call.provider).is_some_and(|upstream| upstream.provider.can_reattach())
}

/// The target of a lost call, with the times that the configuration gives it now.
fn target(node: &Node, model: &str, call: LostCall) -> Target {
    let targets = node.models.get(model).map(|model| model.targets(0)).unwrap_or_default();
    let same = |target: &Target| target.provider == call.provider && target.model == call.model;
    targets.into_iter().find(same).unwrap_or_else(|| Target::new(call.provider, call.model))
}

/// What the provider said in that call, as far as the log has it. Reports of usage are left out: how often they come
/// depends on how a call is cut into reads, and only the last one counts.
async fn heard(log: &Log, attempt: Attempt) -> Result<Vec<ProviderEvent>, LogError> {
    let mut heard = Vec::new();
    let mut next = 0;
    loop {
        let page = log.page(next).await?;
        if page.is_empty() {
            return Ok(heard);
        }
        next += page.len() as u64;
        heard.extend(page.into_iter().filter_map(|fact| said_in(attempt, fact)));
    }
}

fn said_in(call: Attempt, fact: Fact) -> Option<ProviderEvent> {
    let Fact::Provider { attempt, event } = fact else { return None };
    (attempt == call && !matches!(event, ProviderEvent::Usage(_))).then_some(event)
}
