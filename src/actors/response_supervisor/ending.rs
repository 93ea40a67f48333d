//! The ending of a response, for its clients and for the store.

use std::collections::BTreeMap;

use crate::actors::{
    client_stream::ResponseOutcome,
    persistence_accumulator::{EndingDraft, ResponseOwner},
};
use crate::domain::{CallUsage, Ending, InputUsage, RetryHint, Timestamp, Transcript, UsageEstimates};
use crate::protocol::{ResponseId, Usage, UserId};
use crate::store::{EndingRecord, UsageRecord};

/// Tokens that this server counted itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate<'a> {
    /// Tokens of the prompt.
    pub(crate) input: u64,
    pub(crate) output: &'a UsageEstimates,
}

/// The response whose usage is recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UsageOwner<'a> {
    pub(crate) response: ResponseId,
    pub(crate) user: UserId,
    /// The model that the request named.
    pub(crate) model: &'a str,
}

/// The outcome of a response whose transcript has ended.
pub(crate) fn outcome(transcript: &Transcript, hint: RetryHint) -> Option<ResponseOutcome> {
    let (ending, _) = transcript.ended()?;
    Some(ResponseOutcome {
        status: ending.status,
        cause: ending.cause,
        response: std::sync::Arc::from(transcript.response()?),
        provider_status: hint.provider_status,
        rejection_status: transcript.rejection().map(|rejection| rejection.status),
        retry_after: hint.retry_after,
    })
}

/// What is written when a transcript has ended.
pub(crate) fn finish_draft(
    transcript: &Transcript,
    owner: ResponseOwner,
    usage: Vec<UsageRecord>,
) -> Option<EndingDraft> {
    let (ending, ended_at) = transcript.ended()?.clone();
    let ending = bare_ending(owner, ending, ended_at, usage);
    Some(EndingDraft { ending, text: transcript.text(), items: transcript.items().to_vec() })
}

/// The record of an ending without content, last segment and items.
fn bare_ending(owner: ResponseOwner, ending: Ending, ended_at: Timestamp, usage: Vec<UsageRecord>) -> EndingRecord {
    let ResponseOwner { id, epoch } = owner;
    let Ending { status, cause, finish_reason, incomplete_reason: _ } = ending;
    EndingRecord {
        id,
        epoch,
        status,
        cause,
        finish_reason,
        ended_at,
        content: None,
        last_segment: None,
        items: Vec::new(),
        usage,
        releases_key: false,
    }
}

/// One usage record per turn: what its provider reported, else the estimate, with the prompt's tokens as the provider
/// counted them if it reported these. A turn whose provider never answered used nothing.
pub(crate) fn usage_records(
    transcript: &Transcript,
    UsageOwner { response, user, model }: UsageOwner<'_>,
    estimate: &Estimate<'_>,
    at: Timestamp,
) -> Vec<UsageRecord> {
    let mut turns: BTreeMap<u16, UsageRecord> = BTreeMap::new();
    for CallUsage { attempt, provider, opened, input_usage, usage: reported } in transcript.provider_calls() {
        let record = turns.entry(attempt.turn).or_insert_with(|| UsageRecord {
            response,
            user,
            turn: attempt.turn,
            provider: String::new(),
            model: model.to_owned(),
            usage: Usage::default(),
            estimated: true,
            at,
        });
        provider.clone_into(&mut record.provider);
        match reported {
            Some(usage) if record.estimated => (record.usage, record.estimated) = (usage, false),
            Some(usage) => record.usage = record.usage.plus(usage),
            None if record.estimated && opened => record.usage = estimate.usage(attempt.turn, input_usage),
            None => {}
        }
    }
    turns.into_values().collect()
}

impl Estimate<'_> {
    fn usage(&self, turn: u16, input_usage: Option<InputUsage>) -> Usage {
        let counted = InputUsage { input_tokens: self.input, ..InputUsage::default() };
        let InputUsage { input_tokens, input_tokens_details } = input_usage.unwrap_or(counted);
        let output_tokens = self.output.output_tokens.get(&turn).copied().unwrap_or_default();
        Usage {
            input_tokens,
            input_tokens_details,
            output_tokens,
            total_tokens: input_tokens.saturating_add(output_tokens),
            ..Usage::default()
        }
    }
}
