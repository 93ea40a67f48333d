//! One call: sends the request, reads the answer, enforces the timeouts.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, LocalBoxStream, ReadyChunks};
use futures_util::{FutureExt, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::report::refused;
use super::stream_decoder::{NO_STREAM, StreamDecoder};
use super::upstream::UpstreamSite;
use super::{Flow, exchange, failure, hidden_key::hide_key, retry_after::retry_after};
use crate::{Error, ProviderEvent, ProviderRequest, Report};
use antiphon_domain::Timeouts;

/// The most buffers that are read as one batch, of those that are there already.
const BUFFERS_PER_BATCH: usize = 32;

/// How long usage and end mark may take after the finish reason. The answer is complete without them.
const TRAILER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the body of an error is waited for. It only makes the error more precise.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) type Batch = Vec<ProviderEvent>;
/// The opening of an answer whose provider sends no id of its own this early.
const OPENED: ProviderEvent = ProviderEvent::Opened { provider_response_id: None };

type Reads = LocalBoxStream<'static, Result<Bytes, hyper::Error>>;

/// The kinds of calls.
pub(super) enum Question {
    /// Asks the provider to work on the request.
    Work,
    /// Asks the provider to replay, from its beginning, the stream at that URL.
    Again(Url),
}

enum CallState {
    Opening(Arc<UpstreamSite>, Box<ProviderRequest>, Question),
    Reading(Box<Answer>),
    Ending(Result<(), Error>),
}

/// What shows that a success is one, before which its response is not told to be open.
enum AnswerOpening {
    /// The decoder, by an event of its own.
    Decoder,
    /// The label of an event stream.
    Headers,
    /// The first event: another label, or none, can be that of an error.
    FirstEvent,
}

struct Answer {
    reads: ReadyChunks<Reads>,
    decoder: StreamDecoder,
    /// Whether its headers say that it is an event stream.
    is_labelled: bool,
    idle_timeout: Duration,
    /// When the next event must be there. Comments and incomplete events do not extend it.
    idle_until: Instant,
    /// When the wait for what may follow the finish reason is over.
    trailer_until: Option<Instant>,
}

/// Starts a call when the stream is first polled.
pub(super) fn start(
    site: Arc<UpstreamSite>,
    request: ProviderRequest,
    question: Question,
) -> LocalBoxStream<'static, Result<Batch, Error>> {
    let call = CallState::Opening(Arc::clone(&site), Box::new(request), question);
    let batches = stream::unfold(call, |call| step(call).boxed_local());
    batches.map(move |batch| batch.map_err(|error| without_key(error, &site))).boxed_local()
}

/// The same error, without the key that the provider may have quoted.
fn without_key(error: Error, site: &UpstreamSite) -> Error {
    error.map_report(|report| report.map_rejection(|rejection| hide_key(rejection, site.api_key.as_ref())))
}

async fn step(call: CallState) -> Option<(Result<Batch, Error>, CallState)> {
    match call {
        CallState::Opening(site, request, question) => match answer(&site, &request, question).await {
            Ok((answer, AnswerOpening::Decoder)) => read(Box::new(answer)).await,
            Ok((answer, AnswerOpening::Headers)) => Some((Ok(vec![OPENED]), CallState::Reading(Box::new(answer)))),
            Ok((answer, AnswerOpening::FirstEvent)) => {
                let (first, call) = read(Box::new(answer)).await?;
                let first = first.map(|events| std::iter::once(OPENED).chain(events).collect());
                Some((first, call))
            }
            Err(error) => Some((Err(error), CallState::Ending(Ok(())))),
        },
        CallState::Reading(answer) => read(answer).await,
        CallState::Ending(end) => over(end),
    }
}

fn over(end: Result<(), Error>) -> Option<(Result<Batch, Error>, CallState)> {
    end.err().map(|error| (Err(error), CallState::Ending(Ok(()))))
}

/// Sends the request; returns the answer, and what shows that it is one.
async fn answer(
    site: &UpstreamSite,
    request: &ProviderRequest,
    question: Question,
) -> Result<(Answer, AnswerOpening), Error> {
    let Timeouts { first_byte, idle, .. } = request.target.timeouts;
    let asks_for_work = matches!(question, Question::Work);
    let sent = timeout(first_byte, send(site, request, question)?).await;
    let response = sent.map_err(|_| Error::FirstByteTimeout)??;
    let status = response.status();
    if !status.is_success() {
        let (status, retry_after) = (status.as_u16(), retry_after(response.headers()));
        let body = beginning(response, site.limits.frame_bytes, ERROR_BODY_TIMEOUT.min(idle)).await;
        // That a call can't be listened to again is not the fault of the client's request.
        let report = refused(status, &body);
        let report = if asks_for_work || report.rejection().is_none() { report } else { Report::Other };
        return Err(Error::Status { status, retry_after, report });
    }
    let decoder = site.dialect.decoder(request, site.limits);
    let is_labelled = is_labelled_as_events(&response);
    let opening = match decoder.opens() {
        true => AnswerOpening::Decoder,
        false if is_labelled => AnswerOpening::Headers,
        // Some servers report errors with a success status.
        false => AnswerOpening::FirstEvent,
    };
    let decoder = StreamDecoder::new(decoder, site.limits);
    let answer = Answer::new(response.into_body().into_data_stream().boxed_local(), decoder, idle);
    Ok((Answer { is_labelled, ..answer }, opening))
}

fn send(
    site: &UpstreamSite,
    request: &ProviderRequest,
    question: Question,
) -> Result<impl Future<Output = Result<Response<Incoming>, Error>> + use<>, Error> {
    let client = site.clients.local(request.target.timeouts.connect);
    let mut headers = site.headers.clone();
    name_request(&mut headers, &request.request_id);
    let request = match question {
        Question::Work => {
            let unwritable = Error::Protocol { what: "the request cannot be written as JSON" };
            let body = site.dialect.body(request).map_err(|_| unwritable)?;
            exchange::request(Method::POST, &site.url, headers, Bytes::from(body))?
        }
        Question::Again(url) => {
            headers.remove(CONTENT_TYPE);
            exchange::request(Method::GET, &url, headers, Bytes::new())?
        }
    };
    Ok(async move { exchange::send(&client, request).await })
}

/// Ids come from headers or are made here. One that no header can hold is left out rather than failing the response.
fn name_request(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// Headers of a request without a body whose answer is no stream.
fn plain_headers(site: &UpstreamSite) -> HeaderMap {
    let mut headers = site.headers.clone();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.remove(CONTENT_TYPE);
    headers
}

/// The status of the answer to a request without a body.
async fn status_of(
    site: &UpstreamSite,
    (method, url): (Method, &Url),
    headers: HeaderMap,
    timeouts: Timeouts,
) -> Result<StatusCode, Error> {
    let client = site.clients.local(timeouts.connect);
    let asked = exchange::send(&client, exchange::request(method, url, headers, Bytes::new())?);
    let answer = timeout(timeouts.first_byte, asked).await.map_err(|_| Error::FirstByteTimeout)?;
    Ok(answer?.status())
}

/// Whether the provider answers, and takes the key.
pub(super) async fn probe(site: &UpstreamSite, timeouts: Timeouts) -> Result<(), Error> {
    let status = status_of(site, (Method::GET, &site.models_url), plain_headers(site), timeouts).await?;
    match status.as_u16() {
        status @ (401 | 403 | 500..=599) => Err(Error::Status { status, retry_after: None, report: Report::Other }),
        _ => Ok(()),
    }
}

/// Cancels work at the provider, by its URL.
pub(super) async fn cancel(site: &UpstreamSite, url: Url, request_id: &str, timeouts: Timeouts) -> Result<(), Error> {
    let mut headers = plain_headers(site);
    name_request(&mut headers, request_id);
    // Some servers require a length with every POST.
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    let status = status_of(site, (Method::POST, &url), headers, timeouts).await?;
    if status.is_success() {
        return Ok(());
    }
    Err(Error::Status { status: status.as_u16(), retry_after: None, report: Report::Other })
}

fn is_labelled_as_events(response: &Response<Incoming>) -> bool {
    let Some(content_type) = response.headers().get(CONTENT_TYPE) else { return false };
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

/// Reads a body up to so many bytes; or what came of it in time, before the connection was lost.
async fn beginning(response: Response<Incoming>, most: usize, time: Duration) -> Vec<u8> {
    let until = Instant::now() + time;
    let mut body = Vec::new();
    let mut reads = response.into_body().into_data_stream();
    while let Ok(Some(Ok(bytes))) = timeout_at(until, reads.next()).await {
        let left = most - body.len();
        body.extend_from_slice(&bytes[..bytes.len().min(left)]);
        if body.len() == most {
            break;
        }
    }
    body
}

/// Reads until there are events or the answer ends.
async fn read(mut answer: Box<Answer>) -> Option<(Result<Batch, Error>, CallState)> {
    loop {
        let (batch, end) = answer.next_batch().await;
        match end {
            Some(end) if batch.is_empty() => return over(end),
            Some(end) => return Some((Ok(batch), CallState::Ending(end))),
            None if batch.is_empty() => {}
            None => return Some((Ok(batch), CallState::Reading(answer))),
        }
    }
}

impl Answer {
    /// An answer of which nothing has been read, without a label.
    fn new(reads: Reads, decoder: StreamDecoder, idle_timeout: Duration) -> Self {
        Self {
            reads: reads.ready_chunks(BUFFERS_PER_BATCH),
            decoder,
            is_labelled: false,
            idle_timeout,
            idle_until: Instant::now() + idle_timeout,
            trailer_until: None,
        }
    }

    async fn next_batch(&mut self) -> (Batch, Option<Result<(), Error>>) {
        let mut batch = Batch::new();
        let events = self.decoder.frames();
        let end = match timeout_at(self.patience(), self.reads.next()).await {
            Ok(Some(reads)) => reads.into_iter().find_map(|read| self.take(read, &mut batch)),
            Ok(None) => Some(self.decoder.end(&mut batch).map_err(|error| self.unless_blank(error))),
            Err(_) => Some(self.decoder.fall_silent(&mut batch)),
        };
        if self.decoder.frames() > events {
            self.idle_until = Instant::now() + self.idle_timeout;
        }
        (batch, end)
    }

    /// The error of an answer that has ended: neither a label nor an event says that it was to be a stream.
    fn unless_blank(&self, error: Error) -> Error {
        let is_blank = !self.is_labelled && self.decoder.frames() == 0;
        if error == Error::Closed && is_blank { NO_STREAM } else { error }
    }

    /// When the wait for more bytes ends.
    fn patience(&mut self) -> Instant {
        if !self.decoder.is_over() {
            self.trailer_until = None;
            return self.idle_until;
        }
        let trailer = *self.trailer_until.get_or_insert_with(|| Instant::now() + TRAILER_TIMEOUT);
        self.idle_until.min(trailer)
    }

    fn take(&mut self, read: Result<Bytes, hyper::Error>, batch: &mut Batch) -> Option<Result<(), Error>> {
        match read {
            Ok(bytes) => match self.decoder.push(bytes, batch) {
                Ok(Flow::Open) => None,
                Ok(Flow::Done) => Some(Ok(())),
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(self.decoder.lose(failure::of_reading(&error), batch)),
        }
    }
}
