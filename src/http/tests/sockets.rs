//! The server itself, over TCP.

use std::net::TcpListener;

use actix_web::dev::ServerHandle;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::fixture::{Api, KEY, complete};
use crate::http::{ServerOptions, serve};

pub(super) async fn listening(api: &Api) -> (TcpStream, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, api.state(), &ServerOptions::default()).unwrap();
    let handle = server.handle();
    #[expect(clippy::disallowed_methods, reason = "a server is no actor")]
    actix_web::rt::spawn(server);
    (TcpStream::connect(address).await.unwrap(), handle)
}

pub(super) fn head(length: &str) -> String {
    format!("POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{length}\r\n\r\n")
}

async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&text).contains(end) {
        let count = socket.read(&mut chunk).await.unwrap();
        assert_ne!(count, 0, "closed after: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8(text).unwrap()
}

#[actix_web::test]
async fn a_client_that_hangs_up_on_a_silent_stream_is_noticed() {
    let api = Api::new().await;
    let (mut socket, server) = listening(&api).await;
    let body = json!({"model": "m", "input": "x", "stream": true}).to_string();
    let leave_at_once = format!("antiphon-disconnect: cancel\r\ncontent-length: {}", body.len());
    socket.write_all((head(&leave_at_once) + &body).as_bytes()).await.unwrap();
    let call = api.provider.asked().await;
    call.open();
    read_until(&mut socket, "event: response.in_progress\n").await;
    drop(socket);
    // Nothing more is ever written; the provider's connection is closed all the same.
    call.closed().await;
    server.stop(false).await;
}

#[actix_web::test]
async fn a_client_that_sends_too_much_can_still_read_why() {
    let api = Api::new().await;
    for length in ["content-length: 31457280", "transfer-encoding: chunked"] {
        let (socket, server) = listening(&api).await;
        let (mut reading, mut writing) = socket.into_split();
        let chunked = length.starts_with("transfer");
        let sending = async move {
            writing.write_all(head(length).as_bytes()).await.unwrap();
            for _ in 0..480 {
                let mut part = vec![b'x'; 65_536];
                if chunked {
                    part = [b"10000\r\n".as_slice(), &part, b"\r\n"].concat();
                }
                if writing.write_all(&part).await.is_err() {
                    break;
                }
            }
            writing
        };
        let receiving = async {
            let mut start = [0; 12];
            reading.read_exact(&mut start).await.unwrap();
            String::from_utf8_lossy(&start).into_owned()
        };
        let (_writing, status) = tokio::join!(sending, receiving);
        assert_eq!(status, "HTTP/1.1 413", "{length}");
        server.stop(false).await;
    }
    assert_eq!(api.store.commits(), 0);
}

/// All that is answered until the server closes the connection.
async fn read_all(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    socket.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[actix_web::test]
async fn a_client_of_http_1_0_gets_plain_bytes_up_to_the_end_of_the_connection() {
    let api = Api::new().await;
    for (stream, connection) in [(true, "close"), (true, "keep-alive"), (false, "close"), (false, "keep-alive")] {
        let (mut socket, server) = listening(&api).await;
        let body = json!({"model": "m", "input": "x", "stream": stream}).to_string();
        let head = head(&format!("connection: {connection}\r\ncontent-length: {}", body.len()));
        let head = head.replace("HTTP/1.1", "HTTP/1.0");
        socket.write_all((head + &body).as_bytes()).await.unwrap();
        let call = api.provider.asked().await;
        complete(&call);
        drop(call);
        let answer = read_all(&mut socket).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        assert!(!head.contains("transfer-encoding") && !head.contains("keep-alive"), "{head}");
        let (begin, end) = if stream { ("event: response.created\n", "data: [DONE]\n\n") } else { ("{\"id\"", "}") };
        assert!(body.starts_with(begin) && body.ends_with(end), "{body}");
        server.stop(false).await;
    }
}

#[actix_web::test]
async fn the_head_of_an_answer_has_no_body_behind_it() {
    let api = Api::new().await;
    let (mut socket, server) = listening(&api).await;
    let request = "HEAD /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let answer = read_all(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.contains("content-length: 15\r\n"), "the length that GET has: {answer}");
    server.stop(false).await;
}
