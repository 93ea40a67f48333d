//! The events of a provider: screened, then recorded.

use super::{
    AttemptReport, Run, RunEffect, RunNote,
    machine::take_state,
    replay::{ReplayDiverged, ReplayFilter},
    state::{Reading, RunState},
};
use crate::{AllowedOutput, Attempt, CallIndex, Cause, Fact, Limit, ProviderEvent};
use antiphon_protocol::Usage;

/// The result of screening a provider's event.
enum Screened {
    /// The event was received before.
    Known,
    /// The event is new and allowed.
    Passed(ProviderEvent),
    /// The event is the last one: the response ends with this fact, after as much of the event as is allowed.
    Stopped(Option<ProviderEvent>, Fact),
}

/// The events of one read that passed the screening, as facts.
#[derive(Default)]
struct ScreenedBatch {
    facts: Vec<Fact>,
    usage: Option<Usage>,
    opened: bool,
    /// The fact that the response ends with, if it ends here.
    last: Option<Fact>,
}

impl Run {
    pub(super) fn provider_said(&mut self, attempt: Attempt, events: Vec<ProviderEvent>) {
        let Some(mut reading) = take_state!(self, Reading) else { return };
        if reading.call.attempt != attempt {
            self.state = RunState::Reading(reading);
            return;
        }
        let ScreenedBatch { mut facts, usage, opened, last } = self.screen_all(&mut reading, events);
        if let Some(usage) = usage.filter(|usage| self.transcript.reported_usage(attempt) != Some(*usage)) {
            facts.push(Fact::Provider { attempt, event: ProviderEvent::Usage(usage) });
        }
        let pieces_before = self.transcript.pieces();
        if opened {
            self.effects.push(RunEffect::ReportAttempt(AttemptReport::Answered));
        }
        let named = facts.iter().position(names_call).map(|place| self.transcript.facts() + place as u64 + 1);
        self.record(facts);
        self.note_received(&mut reading, opened, named);
        let began = pieces_before == reading.turn.pieces_before && self.transcript.pieces() > pieces_before;
        if began && !self.setup.policy.tools.are_any() {
            // Nothing is tried again, and no turn follows: the prompt is no longer needed.
            self.effects.push(RunEffect::DropPrompt);
        }
        self.state = RunState::Reading(reading);
        if let Some(last) = last {
            self.finish(vec![last]);
        } else if self.transcript.pieces() > self.setup.limits.max_output_parts {
            self.note(RunNote::TooManyPieces);
            self.finish(vec![nonsense(attempt)]);
        }
    }

    fn screen_all(&mut self, reading: &mut Reading, events: Vec<ProviderEvent>) -> ScreenedBatch {
        let mut batch = ScreenedBatch::default();
        let events: Vec<_> = events.into_iter().flat_map(|event| reading.bare_calls.with_arguments(event)).collect();
        for event in events {
            let Some(event) = self.reconciled(event) else { continue };
            if let ProviderEvent::Usage(usage) = event {
                // Some providers report usage with every chunk; only the last report counts. A report that is replayed
                // was recorded the first time.
                let is_replayed = reading.filter.as_ref().is_some_and(ReplayFilter::is_replaying);
                if !is_replayed || self.transcript.reported_usage(reading.call.attempt).is_none() {
                    batch.usage = Some(usage);
                }
                continue;
            }
            if let ProviderEvent::ServiceTier { tier } = &event {
                if self.transcript.reported_tier(reading.call.attempt) != Some(tier) {
                    batch.facts.push(Fact::Provider { attempt: reading.call.attempt, event });
                }
                continue;
            }
            match self.screen(reading, event) {
                Screened::Known => self.note(RunNote::EventReplayed),
                Screened::Passed(event) => let_through(reading, event, &mut batch),
                Screened::Stopped(event, last) => {
                    event.into_iter().for_each(|event| let_through(reading, event, &mut batch));
                    batch.last = Some(last);
                    break;
                }
            }
        }
        batch
    }

    /// The event, with counts of tokens that add up; none for counts that can't be true.
    fn reconciled(&mut self, event: ProviderEvent) -> Option<ProviderEvent> {
        let reconciled = if let ProviderEvent::Usage(usage) = event {
            usage.reconciled().map(ProviderEvent::Usage)
        } else if let ProviderEvent::InputUsage(usage) = event {
            usage.reconciled().map(ProviderEvent::InputUsage)
        } else {
            Some(event)
        };
        if reconciled.is_none() {
            self.note(RunNote::UsageNotBelieved);
        }
        reconciled
    }

    fn screen(&mut self, reading: &mut Reading, event: ProviderEvent) -> Screened {
        let nonsense = nonsense(reading.call.attempt);
        let event = match &mut reading.filter {
            Some(filter) => match filter.take_new(event) {
                Ok(Some(event)) => event,
                Ok(None) => return Screened::Known,
                Err(ReplayDiverged) => {
                    self.note(RunNote::ReplayDiverged);
                    return Screened::Stopped(None, nonsense);
                }
            },
            None => event,
        };
        if let Some(note) = self.objection(&event) {
            self.note(note);
            return Screened::Stopped(None, nonsense);
        }
        reading.call.server_calls.extend(self.server_call(&event));
        match self.allowance.take(event) {
            AllowedOutput::Whole(event) => Screened::Passed(event),
            AllowedOutput::Cut(event) => Screened::Stopped(event, Fact::LimitReached { limit: Limit::OutputBytes }),
        }
    }

    fn objection(&self, event: &ProviderEvent) -> Option<RunNote> {
        if event.is_too_deep() {
            return Some(RunNote::JsonTooDeep);
        }
        let ProviderEvent::FunctionCallStarted { name, .. } = event else { return None };
        let allowed = self.setup.request.may_call(name) || self.setup.policy.tools.runs(name);
        (!allowed).then_some(RunNote::FunctionForbidden)
    }

    /// The function call that begins with the event, if this server runs it.
    pub(super) fn server_call(&self, event: &ProviderEvent) -> Option<CallIndex> {
        let ProviderEvent::FunctionCallStarted { call, name, .. } = event else { return None };
        self.setup.policy.tools.runs(name).then_some(*call)
    }

    /// Updates what is known of the call whose events were recorded. `named`: how many facts there were when its provider
    /// had given its id, if it did.
    fn note_received(&mut self, reading: &mut Reading, opened: bool, named: Option<u64>) {
        if opened {
            self.opened = true;
            self.effects.push(RunEffect::AnnounceOpened);
        }
        let call = &mut reading.call;
        if call.received.is_some() {
            call.traceable_from = call.traceable_from.or(named);
        }
    }
}

/// Adds the event to what is recorded. If the turn ends with calls that this server runs, a fact before its end says
/// so: the turn is then not the last one.
fn let_through(reading: &mut Reading, event: ProviderEvent, batch: &mut ScreenedBatch) {
    let call = &mut reading.call;
    call.reattached = 0;
    if let Some(received) = &mut call.received {
        received.add(&event);
    }
    batch.opened |= matches!(event, ProviderEvent::Opened { .. });
    let attempt = call.attempt;
    if let ProviderEvent::Finished(reason) = &event
        && !reason.is_cut()
        && !call.server_calls.is_empty()
    {
        batch.facts.push(Fact::ServerCallsRequired { attempt, calls: call.server_calls.clone() });
    }
    batch.facts.push(Fact::Provider { attempt, event });
}

/// Whether the fact has the provider's id of its call.
const fn names_call(fact: &Fact) -> bool {
    matches!(fact, Fact::Provider { event: ProviderEvent::Opened { provider_response_id: Some(_) }, .. })
}

/// The fact that a provider broke its protocol.
const fn nonsense(attempt: Attempt) -> Fact {
    Fact::ProviderFailed { attempt, cause: Cause::ProviderProtocolError }
}
