//! Function calls that end without arguments.

use std::collections::BTreeMap;

use crate::{CallIndex, ProviderEvent};

/// The piece of a call that has no arguments.
pub(super) const NO_ARGUMENTS: &str = "{}";

/// Gives a function call that is complete and has no arguments the piece `{}`, which clients parse as JSON: the pieces of
/// a call's arguments are all of them.
///
/// It is a fact of its own, so that logs in which it is missing fold to what was seen of them. The events are those of one
/// provider's call from its beginning.
#[derive(Debug, Default)]
pub(super) struct BareCalls {
    /// The calls, and which of them need nothing more.
    argued: BTreeMap<CallIndex, bool>,
    /// The call that is the last item.
    last: Option<CallIndex>,
}

impl BareCalls {
    /// The event, after the arguments of the calls that it completes.
    pub(super) fn with_arguments(&mut self, event: ProviderEvent) -> Vec<ProviderEvent> {
        let completed = self.completed_by(&event);
        let bare = completed.into_iter().filter(|call| self.argued.insert(*call, true) == Some(false));
        let arguments = bare.map(|call| ProviderEvent::FunctionCallArguments { call, text: NO_ARGUMENTS.to_owned() });
        let mut events: Vec<_> = arguments.collect();
        events.push(event);
        events
    }

    fn completed_by(&mut self, event: &ProviderEvent) -> Vec<CallIndex> {
        match event {
            ProviderEvent::FunctionCallStarted { call, .. } => {
                if !self.argued.contains_key(call) {
                    self.argued.insert(*call, false);
                    self.last = Some(*call);
                }
            }
            ProviderEvent::FunctionCallArguments { call, text } => {
                self.argued.entry(*call).and_modify(|argued| *argued |= !text.is_empty());
            }
            ProviderEvent::FunctionCallFinished { call, .. } => return vec![*call],
            ProviderEvent::Finished(reason) => {
                // A cut answer was cut in its last item.
                let cut = self.last.filter(|_| reason.is_cut());
                return self.argued.keys().copied().filter(|call| Some(*call) != cut).collect();
            }
            ProviderEvent::Text { .. }
            | ProviderEvent::Refusal { .. }
            | ProviderEvent::Reasoning { .. }
            | ProviderEvent::ReasoningSummary { .. }
            | ProviderEvent::EncryptedReasoning { .. }
            | ProviderEvent::OtherItemStarted { .. } => self.last = None,
            ProviderEvent::Opened { .. }
            | ProviderEvent::Annotation { .. }
            | ProviderEvent::ContentPartFinished
            | ProviderEvent::ItemFinished { .. }
            | ProviderEvent::OtherItemEvent { .. }
            | ProviderEvent::OtherItemFinished { .. }
            | ProviderEvent::Usage(_)
            | ProviderEvent::InputUsage(_)
            | ProviderEvent::ServiceTier { .. } => {}
        }
        Vec::new()
    }
}
