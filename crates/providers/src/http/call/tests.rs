//! How long what may follow an answer is waited for, by a clock that stands still.

use futures_util::stream;
use tokio::time::sleep;

use super::*;
use crate::UpstreamLimits;
use crate::chat_completions::ChatDecoder;
use antiphon_domain::{Prompt, Request, Target};

/// How long the last wait of an answer took whose chunks come so many seconds apart, and how it ended.
async fn last_wait(chunks: &[&str], seconds: u64) -> (Duration, Result<(), Error>) {
    let request = ProviderRequest::new(Target::new("p", "m"), Request::new("m", 100), Prompt::default());
    let limits = UpstreamLimits::default();
    let decoder = StreamDecoder::new(Box::new(ChatDecoder::new(&request, limits)), limits);
    let chunks: Vec<Bytes> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n").into()).collect();
    let reads = stream::iter(chunks).then(move |chunk| async move {
        sleep(Duration::from_secs(seconds)).await;
        Ok(chunk)
    });
    let mut answer = Answer::new(reads.chain(stream::pending()).boxed_local(), decoder, Duration::from_secs(75));
    loop {
        let began = Instant::now();
        if let (_, Some(end)) = answer.next_batch().await {
            return (began.elapsed(), end);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_follow_the_reason_to_finish_is_waited_for_from_the_last_output_on() {
    let stopped = r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
    let said = r#"{"choices":[{"delta":{"content":"x"}}]}"#;
    let over = (TRAILER_TIMEOUT, Ok(()));
    assert_eq!(last_wait(&[stopped], 3).await, over);
    assert_eq!(last_wait(&[stopped, stopped, stopped], 3).await, over);
    assert_eq!(last_wait(&[stopped, said, stopped], 4).await, over);
    let silent = (Duration::from_secs(75), Err(Error::IdleTimeout));
    assert_eq!(last_wait(&[said], 3).await, silent);
    assert_eq!(last_wait(&[stopped, said], 3).await, silent);
}
