//! Counts texts.

use std::{
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::LazyLock,
};

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};
use tokio::sync::Semaphore;

use super::slices::slices;
use antiphon_domain::Encoding;

/// Why a text could not be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// More tokens than any column, budget or context holds.
    #[error("there are more than {} tokens", i32::MAX)]
    TooMany,
    /// The tokenizer panicked on the text. It still serves other texts.
    #[error("the tokenizer failed")]
    Failed,
}

/// What comes of looking a vocabulary up.
pub(super) type Lookup = Result<&'static CoreBPE, TokenError>;

/// The turns of long texts that are counted at the same time, in the whole process.
pub(super) static LONG_TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(most_long_turns()));

/// Half of the processors: the other half is there for everything else.
pub(super) fn most_long_turns() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    (processors / 2).max(1)
}

/// The bytes up to which a turn is a short one, which waits for no other: a few milliseconds.
const SHORT_TURN: usize = 16 << 10;

/// Counts the tokens of texts on the runtime's blocking threads, a slice at a time, so that long texts take turns with
/// others and stop being counted when nobody waits any more. Short ones share a turn.
/// The vocabulary is looked up once, with the first of them.
pub(super) async fn count(lookup: impl FnOnce() -> Lookup + Send + 'static, texts: &[&str]) -> Result<u64, TokenError> {
    let (mut tokens, mut lookup, mut found) = (0, Some(lookup), Err(TokenError::Failed));
    for turn in turns(texts) {
        let lookup = lookup.take();
        let bytes: usize = turn.iter().map(String::len).sum();
        let permit = if bytes > SHORT_TURN { Some(LONG_TURNS.acquire().await) } else { None };
        let counted = tokio::task::spawn_blocking(move || {
            let vocabulary = lookup.map_or(found, |lookup| lookup())?;
            // A turn is at work until it is done, also if nobody waits for it any more.
            let _permit = permit;
            let counted: Result<u64, TokenError> = turn.iter().map(|slice| count_slice(vocabulary, slice)).sum();
            counted.map(|tokens| (vocabulary, tokens))
        });
        let (vocabulary, counted) = counted.await.map_err(|_| TokenError::Failed)??;
        (tokens, found) = (tokens + counted, Ok(vocabulary));
    }
    Ok(tokens)
}

/// Counts the tokens of a text on this thread: seconds for megabytes, and a vocabulary may have to be loaded.
///
/// # Errors
/// If the vocabulary can't be loaded.
pub fn count_blocking(encoding: Encoding, text: &str) -> Result<u64, TokenError> {
    let vocabulary = vocabulary(encoding)?;
    slices(text).map(|slice| count_slice(vocabulary, slice)).sum()
}

/// The count as the number that columns and contexts keep.
pub(super) fn checked(tokens: u64) -> Result<u32, TokenError> {
    i32::try_from(tokens).map(i32::cast_unsigned).map_err(|_| TokenError::TooMany)
}

/// The work that is done without a pause for others: about a slice of text, in one or many pieces.
fn turns<'a>(texts: &'a [&str]) -> impl Iterator<Item = Vec<String>> + use<'a> {
    let mut pieces = texts.iter().flat_map(|text| slices(text)).peekable();
    std::iter::from_fn(move || {
        let first = pieces.next()?;
        let mut bytes = first.len();
        let mut turn = vec![first.to_owned()];
        while let Some(piece) = pieces.next_if(|piece| bytes + piece.len() <= super::slices::SLICE_BYTES) {
            bytes += piece.len();
            turn.push(piece.to_owned());
        }
        Some(turn)
    })
}

fn count_slice(vocabulary: &CoreBPE, slice: &str) -> Result<u64, TokenError> {
    let count = || vocabulary.count_ordinary(slice) as u64;
    catch_unwind(AssertUnwindSafe(count)).map_err(|_| TokenError::Failed)
}

/// The vocabulary of an encoding. There is one of each in a process, loaded at its first use.
pub(super) fn vocabulary(encoding: Encoding) -> Lookup {
    let find = || match encoding {
        Encoding::O200kBase => o200k_base_singleton(),
        Encoding::Cl100kBase => cl100k_base_singleton(),
    };
    catch_unwind(find).map_err(|_| TokenError::Failed)
}
