//! Chat Completions over real sockets, against a provider that does everything wrong in turn.

use std::time::Duration;

use antiphon::domain::{FinishReason, Prompt, Request, Target, Timeouts};
use antiphon::protocol::{ContentPart, Item, ItemId, ItemStatus, JsonObject, Message, ResponseId, Role};
use antiphon::provider::{
    ChatCompletions, Error, Provider, ProviderEvent, ProviderRequest, Report, UpstreamLimits, UpstreamOptions,
};
use antiphon::testkit::{DeafServer, Script, ScriptGate, ScriptedProvider, refused_base_url};
use futures_util::StreamExt;

/// Short enough for a test, long enough for a busy machine.
const SOON: Duration = Duration::from_millis(400);

fn options(base_url: String) -> UpstreamOptions {
    UpstreamOptions { api_key: Some("sk-test".into()), ..UpstreamOptions::new(base_url) }
}

fn request() -> ProviderRequest {
    let id = ItemId::of_input("msg", ResponseId::new(), 0);
    let content = vec![ContentPart::input_text("Why is the sky blue?")];
    let item = Item::Message(Message {
        id,
        role: Role::User,
        status: ItemStatus::Completed,
        content,
        extra: JsonObject::new(),
    });
    let asked = Request { temperature: Some(0.5), ..Request::new("model", 100) };
    let prompt = Prompt { instructions: None, items: vec![item] };
    ProviderRequest { request_id: "req_42".to_owned(), ..ProviderRequest::new(Target::new("p", "m"), asked, prompt) }
}

/// The texts, the reason to finish, whether it was opened, and the error, if any.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    opened: bool,
    text: String,
    finished: Option<FinishReason>,
    output_tokens: Option<u64>,
    error: Option<Error>,
}

async fn hear(options: UpstreamOptions) -> Heard {
    hear_within(Timeouts::default(), options).await
}

async fn hear_within(timeouts: Timeouts, options: UpstreamOptions) -> Heard {
    let mut heard = Heard::default();
    let provider = ChatCompletions::new(options).unwrap();
    let mut batches =
        provider.open(ProviderRequest { target: Target { timeouts, ..Target::new("p", "m") }, ..request() });
    while let Some(batch) = batches.next().await {
        assert_eq!(heard.error, None, "something followed an error");
        match batch {
            Ok(events) => events.into_iter().for_each(|event| heard.take(event)),
            Err(error) => heard.error = Some(error),
        }
    }
    heard
}

impl Heard {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a test that hears anything else fails")]
    fn take(&mut self, event: ProviderEvent) {
        match event {
            ProviderEvent::Opened { .. } => self.opened = true,
            ProviderEvent::Text { text, .. } => self.text.push_str(&text),
            ProviderEvent::Finished(reason) => self.finished = Some(reason),
            ProviderEvent::Usage(usage) => self.output_tokens = Some(usage.output_tokens),
            other => unreachable!("not in these scripts: {other:?}"),
        }
    }
}

fn whole(text: &str, output_tokens: Option<u64>) -> Heard {
    Heard { opened: true, text: text.to_owned(), finished: Some(FinishReason::Stop), output_tokens, error: None }
}

fn broken(text: &str, error: Error) -> Heard {
    Heard { opened: true, text: text.to_owned(), error: Some(error), ..Heard::default() }
}

fn refused(error: Error) -> Heard {
    Heard { error: Some(error), ..Heard::default() }
}

/// A whole answer, as servers send it that do not stream.
const WHOLE_ANSWER: &str = r#"{"choices":[{"message":{"content":"Hello world"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":5}}"#;

#[tokio::test]
async fn each_script_has_its_one_outcome() {
    let no_http = Error::Protocol { what: "the answer is no HTTP" };
    let limited = Error::Status { status: 429, retry_after: Some(Duration::from_secs(7)), report: Report::Other };
    let status = |status| Error::Status { status, retry_after: None, report: Report::Other };
    let hi = || Script::new().text("Hi");
    let cases = [
        ("whole", Script::answer(["Hello", " world"]), whole("Hello world", Some(5))),
        (
            "bytewise",
            Script::answer(["Gr\u{fc}\u{df}", " \u{1f980}"]).bytewise(),
            whole("Gr\u{fc}\u{df} \u{1f980}", Some(5)),
        ),
        ("no end mark", hi().finish("stop"), whole("Hi", None)),
        ("no end of the body after the finish", hi().finish("stop").cut(), whole("Hi", None)),
        ("reset after the finish", hi().finish("stop").done().reset(), whole("Hi", None)),
        ("no content type", Script::new().headers(200, &[]).text("Hi").finish("stop"), whole("Hi", None)),
        ("clean end without a finish", hi(), broken("Hi", Error::Closed)),
        ("cut", hi().cut(), broken("Hi", Error::Closed)),
        ("cut in a chunk", hi().raw("data: {\"choices\":[{\"de").cut(), broken("Hi", Error::Closed)),
        ("reported", hi().error_event(), broken("Hi", Error::Reported(Report::Other))),
        (
            "nonsense",
            hi().raw("data: nonsense\n\n"),
            broken("Hi", Error::Protocol { what: "a chunk has not the form of one" }),
        ),
        (
            "no UTF-8",
            hi().raw(&b"data: \xFF\n\n"[..]),
            broken("Hi", Error::Protocol { what: "the stream is no UTF-8" }),
        ),
        ("broken framing", hi().socket("zz\r\n"), broken("Hi", no_http.clone())),
        ("no HTTP", Script::new().socket("SSH-2.0-OpenSSH_9.2\r\n\r\n"), refused(no_http)),
        (
            "empty",
            Script::new().headers(200, &[("content-type", "text/event-stream; charset=utf-8")]),
            broken("", Error::Closed),
        ),
        ("closed before an answer", Script::new().cut(), refused(Error::Closed)),
        ("reset before an answer", Script::new().reset(), refused(Error::Closed)),
        ("limited", Script::status(429, &[("retry-after", "7")], "{}"), refused(limited)),
        ("garbage in retry-after", Script::status(503, &[("retry-after", "soon")], ""), refused(status(503))),
        ("unauthorized", Script::status(401, &[], "{}"), refused(status(401))),
        ("redirected", Script::status(307, &[("location", "/elsewhere")], ""), refused(status(307))),
    ];
    for (name, script, expected) in cases {
        let provider = ScriptedProvider::start();
        provider.script("m", script);
        assert_eq!(hear(options(provider.base_url())).await, expected, "{name}");
        assert_eq!(provider.requests().len(), 1, "{name}: a provider is asked once");
    }
}

#[tokio::test]
async fn what_an_answer_is_its_first_bytes_say_and_not_its_label() {
    let no_stream = Error::Empty { what: "the answer is no event stream" };
    let json = [("content-type", "application/json")];
    for (name, script, expected) in [
        ("a web page", Script::html_page(), refused(no_stream.clone())),
        (
            "JSON that is an error",
            Script::status(200, &json, "{\"error\":{\"message\":\"m\"}}"),
            refused(Error::Reported(Report::Other)),
        ),
        ("JSON that is no answer", Script::status(200, &json, "{\"choices\":[]}"), refused(no_stream.clone())),
        ("JSON that is the whole answer", Script::status(200, &json, WHOLE_ANSWER), whole("Hello world", Some(5))),
        (
            "the whole answer as an event",
            Script::new().raw(format!("data: {WHOLE_ANSWER}\n\n")).done(),
            whole("Hello world", Some(5)),
        ),
        (
            "events under another label",
            Script::new().headers(200, &[("content-type", "text/plain")]).text("Hi").finish("stop"),
            whole("Hi", None),
        ),
        ("plain text", Script::status(200, &[("content-type", "text/plain")], "Hi\n\nthere"), refused(no_stream)),
    ] {
        let provider = ScriptedProvider::start();
        provider.script("m", script);
        assert_eq!(hear(options(provider.base_url())).await, expected, "{name}");
    }
}

#[tokio::test]
async fn an_error_in_place_of_a_stream_may_name_a_status() {
    let json = [("content-type", "application/json")];
    for (code, report) in [
        ("429", Report::RateLimited),
        ("\"503\"", Report::Overloaded),
        ("500", Report::Other),
        ("401", Report::Unauthorized),
    ] {
        let provider = ScriptedProvider::start();
        provider.script("m", Script::status(200, &json, &format!("{{\"error\":{{\"code\":{code}}}}}")));
        assert_eq!(hear(options(provider.base_url())).await, refused(Error::Reported(report)), "{code}");
    }
}

#[tokio::test]
async fn a_reset_in_mid_stream_is_a_cut() {
    let provider = ScriptedProvider::start();
    let gate = ScriptGate::new();
    provider.script("m", Script::new().text("Hi").pause_until(&gate).reset());
    let mut batches = ChatCompletions::new(options(provider.base_url())).unwrap().open(request());
    assert!(batches.next().await.unwrap().is_ok());
    assert!(batches.next().await.unwrap().is_ok());
    gate.open();
    assert_eq!(batches.next().await, Some(Err(Error::Closed)));
    assert_eq!(batches.next().await, None);
}

/// Some servers say that they are finished with every piece.
#[tokio::test]
async fn a_reset_after_an_early_reason_to_finish_is_a_cut_and_one_after_the_last_word_is_not() {
    for (said_after, end) in [(true, Some(Err(Error::Closed))), (false, None)] {
        let provider = ScriptedProvider::start();
        let gate = ScriptGate::new();
        let begun = Script::new().text("Hel").finish("stop");
        let said = if said_after { begun.text("lo, wor") } else { begun };
        provider.script("m", said.pause_until(&gate).reset());
        let mut batches = ChatCompletions::new(options(provider.base_url())).unwrap().open(request());
        let mut heard = Vec::new();
        let expected = if said_after { 3 } else { 2 };
        while heard.len() < expected {
            heard.extend(batches.next().await.unwrap().unwrap());
        }
        gate.open();
        let (rest, last) = match batches.next().await {
            Some(Ok(rest)) => (rest, batches.next().await),
            last => (Vec::new(), last),
        };
        assert_eq!((rest.contains(&ProviderEvent::Finished(FinishReason::Stop)), last), (!said_after, end));
    }
}

#[tokio::test]
async fn only_what_is_named_reaches_the_provider() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hi"]));
    hear(options(format!("{}/", provider.base_url()))).await;
    let request = provider.wait_for_request(1).await;
    assert_eq!(request.path, "/v1/chat/completions");
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let allowed = ["accept", "authorization", "content-length", "content-type", "host", "user-agent", "x-request-id"];
    assert_eq!(names, allowed);
    assert_eq!(request.header("authorization"), Some("Bearer sk-test"));
    assert_eq!(request.header("x-request-id"), Some("req_42"));
    assert_eq!(request.body["messages"][0]["content"], "Why is the sky blue?");
    let mut fields: Vec<&String> = request.body.as_object().unwrap().keys().collect();
    fields.sort_unstable();
    assert_eq!(fields, ["max_completion_tokens", "messages", "model", "stream", "stream_options", "temperature"]);
}

#[tokio::test]
async fn opened_is_told_before_the_first_byte_of_the_body() {
    let provider = ScriptedProvider::start();
    let gate = ScriptGate::new();
    let event_stream = [("content-type", "text/event-stream")];
    provider.script("m", Script::new().headers(200, &event_stream).pause_until(&gate).text("Hi").finish("stop").done());
    let mut batches = ChatCompletions::new(options(provider.base_url())).unwrap().open(request());
    assert_eq!(batches.next().await, Some(Ok(vec![ProviderEvent::Opened { provider_response_id: None }])));
    gate.reached().await;
    gate.open();
    let rest: Vec<_> = batches.map(Result::unwrap).concat().await;
    assert_eq!(rest.len(), 2);
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().text("Hi").stall());
    let mut batches = ChatCompletions::new(options(provider.base_url())).unwrap().open(request());
    batches.next().await.unwrap().unwrap();
    batches.next().await.unwrap().unwrap();
    drop(batches);
    tokio::time::timeout(Duration::from_secs(5), provider.connection_closed(1)).await.unwrap();
}

#[tokio::test]
async fn dropping_the_stream_before_an_answer_closes_the_connection() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().stall());
    let mut batches = ChatCompletions::new(options(provider.base_url())).unwrap().open(request());
    tokio::select! {
        batch = batches.next() => unreachable!("{batch:?}"),
        _ = provider.wait_for_request(1) => {}
    }
    drop(batches);
    tokio::time::timeout(Duration::from_secs(5), provider.connection_closed(1)).await.unwrap();
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    assert_eq!(hear(options(refused_base_url())).await, refused(Error::Unreachable));
    assert_eq!(hear(options("http://no-such-host.invalid/v1".to_owned())).await, refused(Error::Unreachable));
}

#[tokio::test]
async fn an_address_that_takes_no_connection_has_its_timeout() {
    let deaf = DeafServer::start().await;
    let connect = Timeouts { connect: SOON, ..Timeouts::default() };
    assert_eq!(hear_within(connect, options(deaf.base_url())).await, refused(Error::ConnectTimeout));
}

#[tokio::test]
async fn a_provider_that_takes_a_request_and_never_answers_has_its_timeout() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().stall());
    let first_byte = Timeouts { first_byte: SOON, ..Timeouts::default() };
    assert_eq!(hear_within(first_byte, options(provider.base_url())).await, refused(Error::FirstByteTimeout));
    provider.connection_closed(1).await;
}

#[tokio::test]
async fn each_silence_has_its_timeout() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().text("Hi").stall());
    provider.script("m", Script::new().text("Hi").finish("stop").usage(1, 2).stall());
    let idle = Timeouts { idle: SOON, ..Timeouts::default() };
    assert_eq!(hear_within(idle, options(provider.base_url())).await, broken("Hi", Error::IdleTimeout));
    // All was said: what is missing is only the end mark.
    assert_eq!(hear_within(idle, options(provider.base_url())).await, whole("Hi", Some(2)));
    provider.connection_closed(2).await;
}

#[tokio::test]
async fn too_many_bytes_are_refused() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().text("Hi").raw(format!("data: {}", "x".repeat(2_000))).stall());
    provider.script("m", Script::new().text("Hi").raw(": keep\n\n".repeat(500)).stall());
    let limits = UpstreamLimits { frame_bytes: 1_000, call_bytes: 3_000, ..UpstreamLimits::default() };
    let limited = UpstreamOptions { limits, ..options(provider.base_url()) };
    for what in [
        "an event holds more bytes than limits.provider_event_bytes",
        "the call holds more bytes than limits.provider_call_bytes allows",
    ] {
        assert_eq!(hear(limited.clone()).await, broken("Hi", Error::Protocol { what }));
    }
    provider.connection_closed(2).await;
}

#[test]
fn one_provider_serves_one_runtime_after_another() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hi"]));
    let upstream = ChatCompletions::new(options(provider.base_url())).unwrap();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let batches: Vec<_> = runtime.block_on(upstream.open(request()).collect());
        assert!(batches.iter().all(Result::is_ok), "{batches:?}");
    }
}
