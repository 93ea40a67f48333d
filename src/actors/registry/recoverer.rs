//! One try to recover a response whose owner is gone: it is resumed where that is possible, else settled.

use std::sync::Arc;

use super::{
    recovered::{Recovered, RecoveryError, ResumableRun, ResumedStart},
    settle::{Claimed, Folded, claim, fold, settle},
};
use crate::actors::{node::Node, response_supervisor::OrphanedRun};
use crate::domain::{
    FOLD_VERSION, Fact, LostCall, OwnershipDecision, Recovery, RecoveryTry, RecoveryWish, Request, RunPlan, RunPolicy,
    SettleReason, Target, Transcript,
};
use crate::fault::{self, FaultPoint};
use crate::journal::{Log, LogError};
use crate::provider::{CallToCancel, Provider};
use crate::store::ResponseRow;

/// Recovers responses for one owner.
#[derive(Debug)]
pub(super) struct Recoverer {
    pub(super) node: Arc<Node>,
    pub(super) epoch: i64,
}

impl Recoverer {
    /// Ends a response, or finds that it can be resumed. It is claimed only once all of it can be read: who can't read
    /// it leaves it to whoever can.
    pub(super) async fn recover(&self, next: RecoveryTry) -> Result<Recovered, RecoveryError> {
        let seen = match self.node.store.responses.response(next.id).await? {
            Some(row) if row.status.is_terminal() => return Ok(Recovered::Over),
            row => row,
        };
        if let Some(row) = &seen {
            match self.node.decide_about((&row.node, row.epoch), RecoveryWish::Node) {
                OwnershipDecision::Recover => {}
                OwnershipDecision::AwaitLease => return Err(RecoveryError::NoLease),
                OwnershipDecision::AwaitSweep | OwnershipDecision::Leave => return Ok(Recovered::Taken),
            }
        }
        let folded = match &seen {
            Some(row) => self.read(row).await?,
            None => None,
        };
        // An admission of this node may still be on its way; the claim comes after it.
        let from_epoch = seen.map_or(self.epoch, |row| row.epoch);
        let row = match claim(&self.node, self.epoch, next.id, from_epoch).await? {
            Claimed::Mine(row) => row,
            Claimed::Over => return Ok(Recovered::Over),
            Claimed::Taken => return Ok(Recovered::Taken),
        };
        fault::reach(FaultPoint::LeftoverClaimed);
        let folded = match folded {
            // The former owner may have written more until it lost the response.
            Some(folded) => Some(folded.rest().await?),
            None => self.read(&row).await?,
        };
        if let Some(folded) = &folded
            && let Some(run) = resumable(&self.node, &row, folded, next.reason).await?
        {
            return Ok(Recovered::Resumable(Box::new(run)));
        }
        let lost = folded.as_ref().and_then(|folded| lost_call(&self.node, &folded.transcript));
        let settled = settle(&self.node, self.epoch, &row, folded, next).await?;
        // The ending is durable under this owner: nobody listens to the call any more.
        if let (Recovered::Over, Some((provider, call))) = (&settled, lost)
            && let Some(reattachment) = provider.reattachment()
        {
            reattachment.cancel(call);
        }
        Ok(settled)
    }

    /// The fold of a response's log; none if it is not stored.
    async fn read(&self, row: &ResponseRow) -> Result<Option<Folded>, RecoveryError> {
        if row.fold_version > FOLD_VERSION {
            return Err(RecoveryError::NewerVersion(row.fold_version));
        }
        Ok(if row.stored { Some(fold(&self.node, row).await?) } else { None })
    }
}

/// The response as it can be resumed, if it can.
async fn resumable(
    node: &Node,
    row: &ResponseRow,
    folded: &Folded,
    reason: SettleReason,
) -> Result<Option<ResumableRun>, LogError> {
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
            (vec![target(node, transcript, call)], ResumedStart::UnderWay)
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
        ResumedStart::UnderWay => provider_facts(log).await?,
    };
    let orphan = OrphanedRun { transcript: transcript.clone(), last_segment: *last_segment, said };
    let plan = plan(node, row, request, policy, targets);
    Ok(Some(ResumableRun { plan, key: log.key().clone(), orphan, start }))
}

fn can_reattach(node: &Node, call: &LostCall) -> bool {
    node.upstreams.get(&call.provider).is_some_and(|upstream| upstream.provider.reattachment().is_some())
}

/// The call that a provider may still work on for a response that is to end.
fn lost_call(node: &Node, transcript: &Transcript) -> Option<(Arc<dyn Provider>, CallToCancel)> {
    let call = transcript.lost_call().filter(|call| can_reattach(node, call))?;
    let provider = Arc::clone(&node.upstreams.get(&call.provider)?.provider);
    let provider_response_id = call.provider_response_id.clone();
    let timeouts = target(node, transcript, call).timeouts;
    let request_id = transcript.run_policy()?.request_id.clone();
    Some((provider, CallToCancel { request_id, provider_response_id, timeouts }))
}

/// The plan of a resumed response, without its prompt: that is built when it is needed.
fn plan(node: &Node, row: &ResponseRow, request: Request, policy: RunPolicy, targets: Vec<Target>) -> RunPlan {
    let encoding = node.models.get(&request.model).map(|model| model.encoding);
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
fn target(node: &Node, transcript: &Transcript, call: LostCall) -> Target {
    let model = transcript.request().and_then(|request| node.models.get(&request.model));
    let targets = model.map(|model| model.targets(0)).unwrap_or_default();
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
