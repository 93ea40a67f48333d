//! `eliza`: the embedded provider, a small conversation program that needs no network, no model and no key.
//!
//! It works in the manner of Joseph Weizenbaum's ELIZA (1966): the highest keyword of a sentence chooses rules, a
//! rule takes the sentence apart, turns its persons around and puts it together as an answer; what the user said
//! about himself is remembered for later. The script is our own. The same conversation always gets the same
//! answer.

mod conversation;
mod pattern;
mod performance;
mod reflect;
mod script;
mod sentence;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::Eliza;
