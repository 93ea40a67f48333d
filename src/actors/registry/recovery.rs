//! Recovering responses whose owner is gone: each is resumed where that is possible, else settled.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::{Semaphore, oneshot};

use super::{
    ResponseRegistry,
    settle::{Claimed, Folded, claim, fold, settle},
};
use crate::actors::{node::Node, node_ownership::renewal_interval, response_supervisor::OrphanedRun};
use crate::domain::{Fact, LostCall, Recovery, Request, RunPlan, RunPolicy, SettleReason, Target};
use crate::fault::{self, FaultPoint};
use crate::journal::{Log, LogError};
use crate::protocol::ResponseId;
use crate::refusal::Refusal;
use crate::store::{AccountError, Error, ResponseRow};
use crate::vault::{self, ResponseKey};

/// How many responses one sweep reads, and how many are recovered at the same time.
const BATCH: u32 = 1_000;
const CONCURRENT: usize = 32;

/// How long a sweep waits for one batch, so that a response that can't be settled does not delay the others for long.
const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE_WHEN_AWAY: Duration = Duration::from_secs(1);
const PAUSE_BEFORE_ANOTHER_LOOK: Duration = Duration::from_millis(250);

/// Looks, at intervals and without end, for responses that have not ended and whose owner is gone: the last entries
/// of a former owner may become durable after the first look, and other nodes may die at any time.
pub(super) async fn sweep(node: Arc<Node>, epoch: i64, registry: Addr<ResponseRegistry>) {
    loop {
        let rows = node.store.responses.orphaned(&node.name, epoch, BATCH).await;
        let pause = match rows {
            Ok(mut rows) => {
                if !node.ownership.may_take_over(node.settings.lease) {
                    rows.retain(|row| row.node == node.name);
                }
                let whole_batch = rows.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
                let recovered = rows.iter().map(|row| ask(&registry, row.id, SettleReason::NodeLost));
                let all = futures_util::future::join_all(recovered);
                let recovered = tokio::time::timeout(PATIENCE, all).await;
                if recovered.is_err() {
                    tracing::error!("some responses of a former owner could not be settled yet");
                }
                registry.do_send(Swept);
                // More may follow those that were recovered.
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

/// Asks the registry to recover a response whose owner is gone. Returns once it has ended or runs here.
///
/// # Errors
/// [`Refusal::DatabaseUnavailable`] if another node owns it, [`Refusal::Draining`] if this node is about to
/// stop.
pub(super) async fn ask(
    registry: &Addr<ResponseRegistry>,
    id: ResponseId,
    reason: SettleReason,
) -> Result<(), Refusal> {
    let (done, recovered) = oneshot::channel();
    registry.do_send(Recover { id, reason, done });
    recovered.await.unwrap_or(Err(Refusal::DatabaseUnavailable))
}

/// Recovers a response whose owner is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Recover {
    id: ResponseId,
    reason: SettleReason,
    done: oneshot::Sender<Result<(), Refusal>>,
}

/// A sweep has recovered all that it found.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Swept;

impl Handler<Swept> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, _: Swept, _: &mut Self::Context) {
        self.open_background_line();
    }
}

type RecoveryWaiters = Vec<oneshot::Sender<Result<(), Refusal>>>;

/// The responses that are being recovered.
#[derive(Debug)]
pub(super) struct Recoveries {
    under_way: HashMap<ResponseId, (SettleReason, RecoveryWaiters)>,
    slots: Arc<Semaphore>,
}

impl Default for Recoveries {
    fn default() -> Self {
        Self { under_way: HashMap::new(), slots: Arc::new(Semaphore::new(CONCURRENT)) }
    }
}

impl Recoveries {
    /// Whether any response of this registry lost its supervisor and has no ending yet.
    pub(super) fn has_orphans(&self) -> bool {
        self.under_way.values().any(|(reason, _)| *reason == SettleReason::SupervisorFailed)
    }
}

/// A response that can be resumed.
#[derive(Debug)]
pub(super) struct ResumableRun {
    pub(super) plan: RunPlan,
    pub(super) key: ResponseKey,
    pub(super) orphan: OrphanedRun,
    pub(super) start: ResumedStart,
}

/// Where a resumed response begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResumedStart {
    /// In the queue of background responses, by its age.
    Queued,
    /// At once: it had begun, and its provider may still work for it.
    UnderWay,
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
    /// Recovers a response: ends it, or resumes it here.
    pub(super) fn recover(
        &mut self,
        id: ResponseId,
        reason: SettleReason,
        done: Option<oneshot::Sender<Result<(), Refusal>>>,
        ctx: &mut Context<Self>,
    ) {
        if let Some((_, waiting)) = self.recoveries.under_way.get_mut(&id) {
            waiting.extend(done);
            return;
        }
        self.recoveries.under_way.insert(id, (reason, done.into_iter().collect()));
        let (node, epoch, slots) = (Arc::clone(&self.node), self.epoch, Arc::clone(&self.recoveries.slots));
        let work = async move {
            // The semaphore is never closed.
            let _slot = slots.acquire().await;
            recover(&node, epoch, id, reason).await
        };
        ctx.spawn(work.into_actor(self).map(move |found, registry, ctx| registry.recovered(id, found, ctx)));
    }

    fn recovered(
        &mut self,
        id: ResponseId,
        found: Result<Option<Box<ResumableRun>>, Refusal>,
        ctx: &mut Context<Self>,
    ) {
        let waiting = self.recoveries.under_way.remove(&id).map(|(_, waiting)| waiting).unwrap_or_default();
        let answer = match found {
            // It belongs to this node's current epoch, so the next start of the node finds it.
            Ok(Some(_)) if self.draining => Err(Refusal::Draining),
            Ok(Some(resumable)) => {
                fault::reach(FaultPoint::LeftoverFound);
                self.resume(*resumable, ctx);
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

/// Ends a response, or finds that it can be resumed. Waits while the database is unavailable.
async fn recover(
    node: &Arc<Node>,
    epoch: i64,
    id: ResponseId,
    reason: SettleReason,
) -> Result<Option<Box<ResumableRun>>, Refusal> {
    loop {
        match recover_once(node, epoch, id, reason).await {
            Ok(RecoveryStep::Over) => return Ok(None),
            Ok(RecoveryStep::Taken) => return Err(Refusal::DatabaseUnavailable),
            Ok(RecoveryStep::Resumable(run)) => return Ok(Some(run)),
            Ok(RecoveryStep::Again) => {}
            Err(error) => tracing::warn!(response.id = %id, error = %error, "a response waits to be settled"),
        }
        tokio::time::sleep(PAUSE_BEFORE_ANOTHER_LOOK).await;
    }
}

/// The result of one try to recover a response.
enum RecoveryStep {
    /// The response has its ending, or was deleted.
    Over,
    /// Another owner has the response.
    Taken,
    /// The response can be resumed.
    Resumable(Box<ResumableRun>),
    /// The recovery must be tried again.
    Again,
}

async fn recover_once(
    node: &Arc<Node>,
    epoch: i64,
    id: ResponseId,
    reason: SettleReason,
) -> Result<RecoveryStep, Error> {
    let row = match claim(node, epoch, id).await? {
        Claimed::Mine(row) => row,
        Claimed::Over => return Ok(RecoveryStep::Over),
        Claimed::Taken => return Ok(RecoveryStep::Taken),
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
                return Ok(RecoveryStep::Again);
            }
            Err(error @ (LogError::Vault(_) | LogError::Codec(_) | LogError::Gap)) => {
                tracing::error!(response.id = %id, error = %error, "a response is settled without its log");
                None
            }
        },
        false => None,
    };
    if let Some(folded) = &folded
        && let Some(run) = resumable(node, &row, folded, reason).await?
    {
        return Ok(RecoveryStep::Resumable(Box::new(run)));
    }
    Ok(if settle(node, epoch, &row, folded, reason).await { RecoveryStep::Over } else { RecoveryStep::Again })
}

/// The response as it can be resumed, if it can.
async fn resumable(
    node: &Node,
    row: &ResponseRow,
    folded: &Folded,
    reason: SettleReason,
) -> Result<Option<ResumableRun>, Error> {
    let Folded { log, transcript, last_segment } = folded;
    let recovery = transcript.recovery();
    if !recovery.resumes(reason) {
        return Ok(None);
    }
    let (targets, start) = match recovery {
        Recovery::Run if !node.models.is_empty() => (Vec::new(), ResumedStart::Queued),
        Recovery::RunTools(_) | Recovery::NextTurn(_) if !node.models.is_empty() => {
            (Vec::new(), ResumedStart::UnderWay)
        }
        Recovery::Reattach(call) if can_reattach(node, &call) => {
            (vec![target(node, &row.model, call)], ResumedStart::UnderWay)
        }
        Recovery::Run | Recovery::RunTools(_) | Recovery::NextTurn(_) | Recovery::Reattach(_) | Recovery::Settle => {
            return Ok(None);
        }
    };
    let (Some(request), Some(policy)) = (transcript.request().cloned(), transcript.run_policy().cloned()) else {
        return Ok(None);
    };
    let said = match start {
        // No provider was asked.
        ResumedStart::Queued => Vec::new(),
        ResumedStart::UnderWay => match provider_facts(log).await {
            Ok(said) => said,
            Err(LogError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::error!(response.id = %row.id, error = %error, "a response is settled without its log");
                return Ok(None);
            }
        },
    };
    let orphan = OrphanedRun { transcript: transcript.clone(), last_segment: *last_segment, said };
    let plan = plan(node, row, request, policy, targets);
    Ok(Some(ResumableRun { plan, key: log.key().clone(), orphan, start }))
}

fn can_reattach(node: &Node, call: &LostCall) -> bool {
    node.upstreams.get(&call.provider).is_some_and(|upstream| upstream.provider.reattachment().is_some())
}

/// The plan of a resumed response, without its prompt: that is built when it is needed.
fn plan(node: &Node, row: &ResponseRow, request: Request, policy: RunPolicy, targets: Vec<Target>) -> RunPlan {
    let encoding = node.models.get(&row.model).map(|model| model.encoding);
    RunPlan {
        id: row.id,
        user: row.user,
        request_id: policy.request_id,
        request: Arc::new(request),
        input: Vec::new(),
        prompt: Arc::default(),
        caller: policy.caller,
        targets,
        encoding: encoding.unwrap_or_default(),
        prompt_tokens: u32::try_from(row.prompt_tokens).unwrap_or(u32::MAX),
        disconnect: policy.disconnect,
        resumable: policy.resumable,
        tools: policy.tools,
        // The response keeps the key that it claimed at admission.
        idempotency: None,
    }
}

/// The target of a lost call, with the timeouts that it has in the present configuration.
fn target(node: &Node, model: &str, call: LostCall) -> Target {
    let targets = node.models.get(model).map(|model| model.targets(0)).unwrap_or_default();
    let same = |target: &Target| target.provider == call.provider && target.model == call.model;
    targets.into_iter().find(same).unwrap_or_else(|| Target::new(call.provider, call.model))
}

/// The facts that providers reported for the response, as far as the log has them.
async fn provider_facts(log: &Log) -> Result<Vec<Fact>, LogError> {
    let mut said = Vec::new();
    let mut next = 0;
    loop {
        let page = log.page(next).await?;
        if page.is_empty() {
            return Ok(said);
        }
        next += page.len() as u64;
        said.extend(page.into_iter().filter(|fact| matches!(fact, Fact::Provider { .. })));
    }
}
