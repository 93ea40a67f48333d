#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod documents;

use std::time::Duration;

use antiphon_domain::ProviderRejection;
use hyper::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::SecretString;

use super::hidden_key::hide_key;
use super::retry_after::retry_after;
use super::{UpstreamError, UpstreamOptions};
use crate::ChatCompletions;

#[test]
fn what_cannot_work_is_refused_at_once() {
    let new = |url: &str, key: Option<&str>| {
        let api_key = key.map(SecretString::from);
        ChatCompletions::new(UpstreamOptions { api_key, ..UpstreamOptions::new(url) }).map(|_| ())
    };
    assert_eq!(new("http://127.0.0.1:1/v1/", Some("sk-1")), Ok(()));
    for url in ["", "localhost:1", "ftp://h/v1", "http://me:pw@h/v1", "http://h/v1?a=b", "http://h/#x", "unix:/x"] {
        let error = new(url, None).unwrap_err();
        assert!(matches!(error, UpstreamError::InvalidBaseUrl { .. }), "{url}");
    }
    for key in ["", "canary\n", "can ary", "can\u{e4}ry", "canary\0"] {
        let error = new("http://h/v1", Some(key)).unwrap_err();
        assert_eq!(error, UpstreamError::InvalidApiKey);
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[test]
fn a_wait_is_read_in_seconds_or_as_a_date_and_garbage_is_none() {
    let day = Duration::from_secs(24 * 60 * 60);
    for (value, expected) in [
        ("7", Some(Duration::from_secs(7))),
        ("0", Some(Duration::ZERO)),
        ("99999999999999999999", Some(day)),
        ("Fri, 20 Nov 2026 08:00:30 GMT", Some(Duration::from_secs(30))),
        ("Fri, 20 Nov 2026 07:00:00 GMT", Some(Duration::ZERO)),
        ("Fri, 20 Nov 2099 08:00:00 GMT", Some(day)),
        ("soon", None),
        ("-1", None),
        ("", None),
    ] {
        let headers = HeaderMap::from_iter([
            (RETRY_AFTER, HeaderValue::from_str(value).unwrap()),
            (DATE, HeaderValue::from_static("Fri, 20 Nov 2026 08:00:00 GMT")),
        ]);
        assert_eq!(retry_after(&headers), expected, "{value}");
    }
}

#[test]
fn no_key_is_in_the_words_of_a_provider() {
    let key = SecretString::from("a1b2c3d4-e5f6-our-key");
    for (text, expected) in [
        ("Key a1b2c3d4-e5f6-our-key is wrong", "Key [key] is wrong"),
        ("Key xa1b2c3d4-e5f6-our-keyx", "Key x[key]x"),
        ("begins with a1b2c3d4, ends with -our-key.", "begins with [key], ends with [key]"),
        ("a1b2c3d4-e5\u{0}f6-our\u{1b}-key", "[key]"),
        ("Incorrect: sk-proj-abcdef, \"AIzaSyAbcdefgh\" (gsk_abcdefgh)", "Incorrect: [key], \"[key]\" ([key])"),
        ("masked: ab***yz", "masked: [key]"),
        ("messages.0.content: text\nis too short", "messages.0.content: text is too short"),
        ("sk-1 and e5f6", "sk-1 and e5f6"),
        ("ak_5ab6e8d359b5a527_Q5hwkvnGdom8xu72", "[key]"),
    ] {
        assert_eq!(message_without(Some(&key), text), expected);
    }
    assert_eq!(message_without(None, "a1b2c3d4 is kept"), "a1b2c3d4 is kept");
}

fn message_without(key: Option<&SecretString>, text: &str) -> String {
    let said = ProviderRejection { message: Some(text.to_owned()), ..ProviderRejection::of_status(400) };
    hide_key(said, key).message.unwrap()
}

#[test]
fn a_short_key_is_hidden_as_a_whole_word_of_the_message_alone() {
    let key = SecretString::from("model");
    let text = Some("'model' is wrong, the models know no remodel. Not model.".to_owned());
    let [param, code] = ["model", "unsupported_model"].map(|name| Some(name.to_owned()));
    let hidden = hide_key(ProviderRejection { status: 400, message: text, param, code }, Some(&key));
    assert_eq!(hidden.message.unwrap(), "'[key]' is wrong, the models know no remodel. Not [key]");
    assert_eq!([hidden.param.unwrap(), hidden.code.unwrap()], ["model", "unsupported_model"]);
    assert_eq!(message_without(Some(&SecretString::from("k1")), "short: k1"), "short: [key]");
}
