use std::pin::pin;

use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::{End, LARGE_READ, ProviderReads, Read};
use crate::domain::{FinishReason, ProviderEvent};
use crate::provider::Error;

fn words(bytes: usize) -> Vec<ProviderEvent> {
    vec![ProviderEvent::Text { text: "x".repeat(bytes), logprobs: Vec::new() }]
}

fn reads(said: Vec<Result<Vec<ProviderEvent>, Error>>) -> ProviderReads {
    ProviderReads::new(stream::iter(said).boxed_local())
}

/// The bytes of words in the next read, and whether it has a turn.
async fn next(reads: &mut ProviderReads) -> Result<(usize, bool), Result<(), Error>> {
    let Read { events, turn, .. } = reads.next().await.map_err(|End { result, .. }| result)?;
    Ok((events.iter().map(ProviderEvent::output_bytes).sum(), turn.is_some()))
}

#[tokio::test]
async fn a_few_words_are_passed_on_as_they_come() {
    let mut reads = reads(vec![Ok(words(5)), Ok(words(6))]);
    assert_eq!(next(&mut reads).await, Ok((5, false)));
    assert_eq!(next(&mut reads).await, Ok((6, false)));
    assert_eq!(next(&mut reads).await, Err(Ok(())));
}

#[tokio::test]
async fn of_a_stream_that_says_much_more_is_read_at_a_time_and_nothing_is_lost() {
    const PIECE: usize = 4_000;
    let pieces = 42;
    let lost = Error::Protocol { what: "the connection was lost" };
    let mut reads = reads((0..pieces).map(|_| Ok(words(PIECE))).chain([Err(lost.clone())]).collect());
    let (mut sizes, mut all) = (Vec::new(), 0);
    let end = loop {
        match next(&mut reads).await {
            Ok((bytes, _)) => {
                all += bytes;
                sizes.push(bytes);
            }
            Err(end) => break end,
        }
    };
    assert_eq!((all, end), (pieces * PIECE, Err(lost)));
    assert!(sizes.iter().all(|size| *size < LARGE_READ + PIECE), "{sizes:?}");
    assert!(sizes.iter().filter(|size| **size > LARGE_READ - PIECE).count() >= 3, "{sizes:?}");
}

#[tokio::test]
async fn the_end_of_a_long_stream_has_the_turns_of_all_of_it() {
    let finished = vec![ProviderEvent::Finished(FinishReason::Stop)];
    let mut long = reads(vec![Ok(words(300 * 1024)), Ok(finished.clone())]);
    let first = long.next().await.ok().unwrap();
    let last = {
        let mut next = pin!(long.next());
        assert!(next.as_mut().now_or_never().is_none(), "the first read is not committed yet");
        drop(first);
        next.await.ok().unwrap()
    };
    let mut short = reads(vec![Ok(words(5)), Ok(finished)]);
    assert_eq!(next(&mut short).await, Ok((5, false)));
    assert_eq!(next(&mut short).await, Ok((0, false)), "a short one waits for nobody");
    let mut end = pin!(long.next());
    assert!(end.as_mut().now_or_never().is_none(), "the last words are not committed yet");
    drop(last);
    assert!(end.await.is_err_and(|end| end.result.is_ok() && end.turn.is_some()));
}
