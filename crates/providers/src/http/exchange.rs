//! One request and the head of its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response, Uri};
use tokio::sync::Notify;
use url::Url;

use super::client::Client;
use super::failure;
use crate::Error;

/// The most interim answers, `100 Continue` or `103 Early Hints`, before the one that counts. Servers send one or two; a
/// flood of them would be read as fast as it comes until the first byte is given up.
const MOST_INTERIM_ANSWERS: usize = 32;

/// A request.
pub(super) fn request(
    method: Method,
    url: &Url,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Error> {
    let unwritable = Error::Protocol { what: "the URL of the request cannot be written" };
    let uri: Uri = url.as_str().parse().map_err(|_| unwritable)?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Sends it; the head of the answer, and its body to be read.
pub(super) async fn send(client: &Client, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
    let (interim, flooded) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let tell = Arc::clone(&flooded);
    hyper::ext::on_informational(&mut request, move |_| {
        if interim.fetch_add(1, Ordering::Relaxed) == MOST_INTERIM_ANSWERS {
            tell.notify_one();
        }
    });
    let flooded = std::pin::pin!(flooded.notified());
    // Dropping the request closes its connection.
    match select(flooded, client.request(request)).await {
        Either::Left(((), _)) => Err(Error::Protocol { what: "there are too many interim answers" }),
        Either::Right((answered, _)) => answered.map_err(|error| failure::of_sending(&error)),
    }
}
