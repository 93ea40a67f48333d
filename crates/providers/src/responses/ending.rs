//! How a response ended, and what its last event holds that did not come before.

use serde_json::Value;

use super::event::{broken, kind_of, text, word};
use super::output::{ItemBody, OutputItem, ResponsesOutput};
use crate::event_fields::{ReadFields, WrittenFields};
use crate::finish::finish_reason;
use crate::http::report_of;
use crate::limits::LONGEST_TIER;
use crate::token_count::TokenCount;
use crate::{Error, ProviderEvent, Report};
use antiphon_domain::FinishReason;
use antiphon_protocol::{InputTokensDetails, OutputTokensDetails, Usage};

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponsesOutcome {
    Completed,
    Incomplete,
    Failed,
    Cancelled,
    /// The event says that it is complete, and the status is another word.
    Unclear,
}

impl ResponsesOutcome {
    /// Reads the ending from the event and from what its response says of it: where they differ, the worse one counts.
    /// The API has no event for cancelled.
    pub(super) fn of(event: &str, response: &ReadFields) -> Self {
        let status = text(response, "status").map(str::to_ascii_lowercase);
        match (event, status.as_deref()) {
            (_, Some("cancelled" | "canceled")) => Self::Cancelled,
            ("response.failed", _) | (_, Some("failed")) => Self::Failed,
            ("response.incomplete", _) | (_, Some("incomplete")) => Self::Incomplete,
            _ if has_error(response) => Self::Failed,
            _ if reason_to_cut(response).is_some() => Self::Incomplete,
            (_, None) => Self::Completed,
            (_, Some(status)) => match finish_reason(status) {
                None | Some(Ok(FinishReason::Stop)) => Self::Completed,
                Some(_) => Self::Unclear,
            },
        }
    }

    /// Adds what is in the last event only: items that did not come before, then usage. Returns why the response ended,
    /// and the usage.
    ///
    /// # Errors
    /// If the response failed or was cancelled.
    pub(super) fn end(
        self,
        output: &mut ResponsesOutput,
        mut response: WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(FinishReason, Option<Usage>), Error> {
        if matches!(self, Self::Completed | Self::Incomplete) {
            output.complete(take_items(&mut response), events)?;
        }
        let usage = response.get("usage").and_then(usage);
        events.extend(usage.map(ProviderEvent::Usage));
        let tier = word(&response, "service_tier", LONGEST_TIER);
        events.extend(tier.map(|tier| ProviderEvent::ServiceTier { tier }));
        let reason = match self {
            Self::Completed if output.items.iter().any(is_nameless) => {
                return Err(broken("a function call without a name"));
            }
            Self::Completed if output.calls > 0 => FinishReason::ToolCalls,
            Self::Completed => FinishReason::Stop,
            // Without a known reason the provider stopped for one of its own: the answer is not complete.
            Self::Incomplete => reason_to_cut(&response).ok_or(Error::Reported(Report::Other))?,
            Self::Unclear => return Err(broken("a status that contradicts the end of its response")),
            Self::Failed => return Err(Error::Reported(response.get("error").map(report_of).unwrap_or_default())),
            Self::Cancelled => return Err(Error::Reported(Report::Other)),
        };
        Ok((reason, usage))
    }
}

impl ResponsesOutput {
    /// Whether output would have been recognized: there were items, or the last event holds a list of such.
    pub(super) fn is_known_form(&self, response: &ReadFields) -> bool {
        let is_item = |item: &Value| item.as_object().and_then(kind_of).is_some();
        let listed = response.get("output").and_then(Value::as_array).map(|items| items.iter().all(is_item));
        listed.unwrap_or(!self.items.is_empty())
    }

    /// Adds the items of the last event: some servers send items, or the ends of items, only there.
    fn complete(&mut self, output: Vec<WrittenFields<'_>>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let known = self.recognize(&output);
        for (fields, known) in output.into_iter().zip(known) {
            let position = match known {
                Some(position) if self.items.get(position).is_some_and(|item| item.done) => continue,
                Some(position) => position,
                None => self.begin(self.last_place(), &fields, events)?,
            };
            self.finish(position, fields, events)?;
        }
        self.name_calls(events)
    }
}

/// Why the output was cut, where a response says so.
fn reason_to_cut(response: &ReadFields) -> Option<FinishReason> {
    let reason = finish_reason(response.get("incomplete_details")?.get("reason")?.as_str()?)?.ok()?;
    matches!(reason, FinishReason::Length | FinishReason::ContentFilter).then_some(reason)
}

fn has_error(response: &ReadFields) -> bool {
    match response.get("error") {
        Some(Value::Object(error)) => !error.is_empty(),
        Some(Value::String(error)) => !error.is_empty(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => false,
    }
}

fn is_nameless(item: &OutputItem) -> bool {
    match &item.body {
        ItemBody::Call(call) => call.index.is_none(),
        ItemBody::Parts(_) | ItemBody::Other(_) => false,
    }
}

/// The items of a final output whose kind can be told.
fn take_items<'a>(response: &mut WrittenFields<'a>) -> Vec<WrittenFields<'a>> {
    let items = response.take_entries("output", |_| None).unwrap_or_default();
    items.into_iter().flatten().filter(|fields| kind_of(fields).is_some()).collect()
}

/// None if neither count is given, since an empty object reports nothing, or if a count can't be true.
fn usage(report: &Value) -> Option<Usage> {
    let count = |key: &str| TokenCount::at(report, key);
    let detail = |details: &str, key: &str| {
        report.get(details).map(|details| TokenCount::at(details, key)).unwrap_or_default().as_part()
    };
    let (input, output) = (count("input_tokens"), count("output_tokens"));
    input.known().or(output.known())?;
    let usage = Usage {
        input_tokens: input.or_zero(),
        input_tokens_details: InputTokensDetails {
            cached_tokens: detail("input_tokens_details", "cached_tokens"),
            cache_write_tokens: detail("input_tokens_details", "cache_write_tokens"),
        },
        output_tokens: output.or_zero(),
        output_tokens_details: OutputTokensDetails {
            reasoning_tokens: detail("output_tokens_details", "reasoning_tokens"),
        },
        total_tokens: count("total_tokens").or_zero(),
    };
    usage.reconciled()
}
