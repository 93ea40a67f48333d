//! Ids for calls that their server gave none.

use uuid::Uuid;

use crate::ProviderRequest;
use antiphon_domain::CallIndex;
use antiphon_protocol::Item;

/// Makes ids that depend on nothing but the request and the call's position in its answer, so that the same bytes give
/// the same events.
#[derive(Clone)]
pub(crate) struct MadeCallIds(Uuid);

impl MadeCallIds {
    /// Makes the ids for the answer to that request. They differ from those in its prompt: in a conversation no id may
    /// come twice.
    pub(crate) fn of(asked: &ProviderRequest) -> Self {
        let mut name = asked.request_id.clone();
        for item in &asked.prompt.items {
            if let Item::FunctionCall(call) = item {
                name.push('\n');
                name.push_str(&call.call_id);
            }
        }
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }

    pub(crate) fn make(&self, call: CallIndex) -> String {
        format!("call_{}", Uuid::new_v5(&self.0, &call.to_be_bytes()).simple())
    }
}
