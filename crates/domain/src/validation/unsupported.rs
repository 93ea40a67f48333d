//! Parameters that this server knows and can't honour: refused unless null. What only hints at how a request is best
//! served is not among them: it may be ignored.

use super::Violation;
use antiphon_protocol::CreateResponse;

pub(super) fn check_unsupported(create: &CreateResponse) -> Result<(), Violation> {
    // A background response that is not stored could never be read.
    refuse_if("background", create.background == Some(true) && create.store == Some(false))?;
    refuse_if("conversation", create.conversation.is_some())?;
    refuse_if("prompt", create.prompt.is_some())?;
    refuse_if("context_management", create.context_management.is_some())?;
    refuse_if("moderation", create.moderation.is_some())
}

fn refuse_if(param: &str, refused: bool) -> Result<(), Violation> {
    if refused { Err(Violation::unsupported(param)) } else { Ok(()) }
}
