//! Anthropic's Messages API, over HTTP.
//!
//! Where the two protocols differ, this is what happens:
//!
//! - Instructions and the messages of developers and systems become the one `system` text, in order, wherever in the
//!   conversation they stood.
//! - Neighbours of one role become one message. A conversation that begins with the model stays so. Blank text is left
//!   out, and so is white space at the end of a message that the model is to continue.
//! - Outputs of calls come first in the message behind the calls, in their order, wherever they were. A call without
//!   one is answered with an error that says so; an output without its call is left out.
//! - Reasoning goes back to the provider if it has this provider's signature, and if something follows it.
//! - A temperature above 1, the protocol's highest, becomes 1: both are the highest value of their protocol.
//! - The effort is passed on, and thinking is `adaptive`; with [`ThinkingForm::Budget`], for models before Claude 4.6,
//!   it becomes a budget for thinking: `low` a quarter of the output, `medium` half, `high` three quarters, `xhigh`
//!   and `max` seven eighths, at least 1,024 tokens and always less than the output. There is no thinking for `none`
//!   and `minimal`; with less room; with a forced call; if the model continues its own text, or continues from answers
//!   to calls that it made without thinking. With it no temperature is sent, and `top_p` is at least 0.95.
//! - A JSON schema becomes `output_config.format`, with its description in the schema. A schema's name, and whether it
//!   or a tool is strict, are left out.
//! - What the protocol has no form for fails before a connection is opened: probabilities, JSON without a schema,
//!   little or much verbosity, unknown efforts.

mod adapter;
mod block;
mod blocks;
mod call_ids;
mod conversation;
mod decoder;
mod event;
mod request;
mod said_answer;
#[cfg(test)]
mod tests;
mod thoughts;

pub use adapter::{Anthropic, AnthropicOptions, ThinkingForm};
