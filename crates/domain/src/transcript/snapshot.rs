//! What can be read of a transcript at any time.

use super::{Ending, Transcript, Verdict};
use crate::{Attempt, InputUsage, ProviderRejection, Request, RunPolicy, Timestamp};
use antiphon_protocol::{
    ContentPart, IncompleteDetails, Item, Response, ResponseEvent, ResponseFailure, Status, Usage,
};

/// A call of a provider, and what it used.
#[derive(Debug, Clone, Copy)]
pub struct CallUsage<'a> {
    /// Which call.
    pub attempt: Attempt,
    /// The provider's name in the configuration.
    pub provider: &'a str,
    /// Whether the provider answered with a success.
    pub opened: bool,
    /// The tokens of its prompt, if the provider reported these by themselves.
    pub input_usage: Option<InputUsage>,
    /// All that it used, if the provider reported it.
    pub usage: Option<Usage>,
}

impl Transcript {
    /// How many facts it holds: the number of the next one.
    #[must_use]
    pub fn facts(&self) -> u64 {
        self.facts
    }

    /// The number of the next event.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.output.next_sequence
    }

    /// What was asked for, once that is known.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        self.created.as_ref().map(|created| &*created.request)
    }

    /// The policy of the run, once it is known.
    #[must_use]
    pub fn run_policy(&self) -> Option<&RunPolicy> {
        self.run_policy.as_deref()
    }

    /// The deadline of the response, once it is set.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> Status {
        match (&self.ended, &self.attempt, self.request()) {
            (Some((ending, _)), ..) => ending.status,
            (None, None, Some(request)) if request.background => Status::Queued,
            (None, ..) => Status::InProgress,
        }
    }

    /// How it ended and when, once it has.
    #[must_use]
    pub fn ended(&self) -> Option<&(Ending, Timestamp)> {
        self.ended.as_ref()
    }

    /// The verdict that decides the ending, once there is one.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// Whether the response ends because a provider is finished.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Finished(_)))
    }

    /// How many items and parts of items the output has.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.output.pieces
    }

    /// The output so far.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.output.items
    }

    /// All text of the answer, in order; none if there is none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let mut text = String::new();
        for item in &self.output.items {
            if let Item::Message(message) = item {
                for part in &message.content {
                    if let ContentPart::OutputText(part) = part {
                        text.push_str(&part.text);
                    }
                }
            }
        }
        (!text.is_empty()).then_some(text)
    }

    /// What the providers reported, summed; none where none did.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.calls.values().filter_map(|call| call.usage).reduce(Usage::plus)
    }

    /// The usage that the provider reported last for that attempt, if any.
    #[must_use]
    pub fn reported_usage(&self, attempt: Attempt) -> Option<Usage> {
        self.calls.get(&attempt).and_then(|call| call.usage)
    }

    /// The tier that the provider reported for that attempt, if any.
    #[must_use]
    pub(crate) fn reported_tier(&self, attempt: Attempt) -> Option<&String> {
        self.calls.get(&attempt).and_then(|call| call.service_tier.as_ref())
    }

    /// The calls of providers, in their order.
    pub fn provider_calls(&self) -> impl Iterator<Item = CallUsage<'_>> {
        self.calls.iter().map(|(attempt, call)| CallUsage {
            attempt: *attempt,
            provider: &call.provider,
            opened: call.opened,
            input_usage: call.input_usage,
            usage: call.usage,
        })
    }

    /// What the last provider said of the request, where the response ended with its refusal.
    #[must_use]
    pub fn rejection(&self) -> Option<&ProviderRejection> {
        let (ending, _) = self.ended.as_ref()?;
        self.rejection_for(ending.cause?)
    }

    /// The Response object as of now; none before the first fact.
    #[must_use]
    pub fn response(&self) -> Option<Box<Response>> {
        let created = self.created.as_ref()?;
        let ending = self.ended.as_ref().map(|(ending, _)| ending);
        let status = self.status();
        let response = created.request.new_response(self.output.response(), created.at.as_seconds());
        let tier = self.calls.values().next_back().and_then(|call| call.service_tier.clone());
        Some(Box::new(Response {
            status,
            completed_at: self.ended.as_ref().filter(|_| status == Status::Completed).map(|(_, at)| at.as_seconds()),
            error: ending.and_then(|ending| failure(ending, self.rejection())),
            incomplete_details: ending
                .and_then(|ending| ending.incomplete_reason)
                .map(|reason| IncompleteDetails { reason: reason.into() }),
            output: self.output.items.clone(),
            usage: ending.and_then(|_| self.usage()),
            service_tier: tier.map_or_else(|| response.service_tier.clone(), Into::into),
            ..response
        }))
    }
}

fn failure(ending: &Ending, rejection: Option<&ProviderRejection>) -> Option<ResponseFailure> {
    let cause = ending.cause?;
    let message = rejection.and_then(|rejection| rejection.message.clone());
    Some(ResponseFailure {
        code: rejection.map_or_else(|| cause.code().into(), |rejection| rejection.code_for(cause).into()),
        message: message.unwrap_or_else(|| cause.message().to_owned()),
        kind: cause.as_str().into(),
        param: rejection.and_then(|rejection| rejection.param.clone()),
    })
}

/// The one event that says how a response ended. The API has no event for cancelled: it is a failed stream whose
/// response has the status `cancelled`.
pub(super) fn terminal_event(sequence_number: u64, response: Box<Response>) -> ResponseEvent {
    match response.status {
        Status::Completed => ResponseEvent::Completed { sequence_number, response },
        Status::Incomplete => ResponseEvent::Incomplete { sequence_number, response },
        Status::Failed | Status::Cancelled | Status::Queued | Status::InProgress => {
            ResponseEvent::Failed { sequence_number, response }
        }
    }
}
