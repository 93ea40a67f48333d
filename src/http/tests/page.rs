//! The page at `/`, over TCP.

use std::net::{SocketAddr, TcpListener};

use actix_web::dev::ServerHandle;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::fixture::{Api, ApiOptions};
use crate::http::{HttpOptions, ServerOptions, serve};

const FILES: [(&str, &str); 5] = [
    ("/", "text/html; charset=utf-8"),
    ("/app.js", "text/javascript; charset=utf-8"),
    ("/app.css", "text/css; charset=utf-8"),
    ("/icon.svg", "image/svg+xml"),
    ("/licenses.md", "text/plain; charset=utf-8"),
];

struct Site {
    address: SocketAddr,
    server: ServerHandle,
}

impl Site {
    async fn start(page: bool) -> Self {
        let http = HttpOptions { page, ..HttpOptions::default() };
        let api = Api::with(ApiOptions { http, ..ApiOptions::default() }).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = serve(listener, api.state(), &ServerOptions::default()).unwrap();
        let handle = server.handle();
        #[expect(clippy::disallowed_methods, reason = "a server is no actor")]
        actix_web::rt::spawn(server);
        Self { address, server: handle }
    }

    async fn ask(&self, line: &str, headers: &str) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer { head: head.to_lowercase(), body: body.to_owned() }
    }
}

struct Answer {
    /// Status line and headers, in small letters.
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

#[actix_web::test]
async fn each_file_has_its_type_and_the_headers_that_hold_a_browser_to_the_rules() {
    let site = Site::start(true).await;
    for (path, content_type) in FILES {
        let answer = site.ask(&format!("GET {path}"), "").await;
        assert_eq!((answer.status(), answer.header("content-type")), ("200", content_type), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "), "{policy}");
        assert!(policy.contains("require-trusted-types-for 'script'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains(" img-src 'self'; connect-src 'self'; "), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert!(!answer.header("x-request-id").is_empty());
    }
    site.server.stop(false).await;
}

#[actix_web::test]
async fn a_browser_that_has_a_file_is_not_sent_it_again() {
    let site = Site::start(true).await;
    for (path, _) in FILES {
        let tag = site.ask(&format!("GET {path}"), "").await.header("etag").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"another\", {tag}"), "*".to_owned()] {
            let answer = site.ask(&format!("GET {path}"), &format!("if-none-match: {known}\r\n")).await;
            assert_eq!((answer.status(), answer.body.as_str(), answer.header("etag")), ("304", "", tag.as_str()));
        }
        for unknown in ["\"another\"", "nonsense", ""] {
            let answer = site.ask(&format!("GET {path}"), &format!("if-none-match: {unknown}\r\n")).await;
            assert_eq!(answer.status(), "200", "{unknown}");
        }
    }
    site.server.stop(false).await;
}

#[actix_web::test]
async fn a_head_is_answered_as_a_get_without_its_body() {
    let site = Site::start(true).await;
    for (path, _) in FILES {
        let whole = site.ask(&format!("GET {path}"), "").await;
        let head = site.ask(&format!("HEAD {path}"), "").await;
        assert_eq!((head.status(), head.body.as_str()), ("200", ""), "{path}");
        assert_eq!(head.header("content-length"), whole.body.len().to_string(), "{path}");
        assert_eq!(head.header("etag"), whole.header("etag"));
    }
    site.server.stop(false).await;
}

#[actix_web::test]
async fn the_page_takes_no_path_but_its_own_and_can_be_switched_off() {
    let site = Site::start(true).await;
    for path in ["/index.html", "/app", "/app.js/", "/licenses", "/v1", "/v2/models", "//"] {
        let answer = site.ask(&format!("GET {path}"), "").await;
        assert_eq!((answer.status(), answer.header("content-type")), ("404", "application/json"), "{path}");
        assert!(answer.body.starts_with("{\"error\":{\"message\":"), "{}", answer.body);
    }
    let answer = site.ask("POST /", "content-length: 0\r\n").await;
    assert_eq!((answer.status(), answer.header("allow")), ("405", "get, head"));
    assert_eq!(site.ask("GET /v1/models", "").await.status(), "401");
    site.server.stop(false).await;
    let without = Site::start(false).await;
    for (path, _) in FILES {
        assert_eq!(without.ask(&format!("GET {path}"), "").await.status(), "404", "{path}");
    }
    without.server.stop(false).await;
}
