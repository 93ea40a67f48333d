#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{self, LocalBoxFuture};
use futures_util::stream::LocalBoxStream;
use tokio::time::{Instant, timeout};

use super::super::providers::BuiltProvider;
use super::lines;
use crate::config::{Config, ConfiguredProvider, Environment, LogFormat};
use crate::domain::Timeouts;
use crate::provider::{Error, Provider, ProviderEvent, ProviderRequest, Report};

/// What a provider answers when it is probed; nothing, ever, if there is nothing.
#[derive(Debug)]
struct Answers(Option<Result<(), Error>>);

impl Provider for Answers {
    fn open(&self, _: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        unreachable!("a probe has nobody work")
    }

    fn probe(&self, timeouts: Timeouts) -> LocalBoxFuture<'static, Result<(), Error>> {
        assert!(timeouts.connect <= Duration::from_secs(3) && timeouts.first_byte <= Duration::from_secs(3));
        match self.0.clone() {
            Some(answer) => future::ready(answer).boxed_local(),
            None => future::pending().boxed_local(),
        }
    }
}

/// A provider as it is configured, with these models.
fn configured(models: &str) -> ConfiguredProvider {
    let variables = [
        ("ANTIPHON_PROVIDERS__P__KIND", "chat_completions"),
        ("ANTIPHON_PROVIDERS__P__BASE_URL", "http://h/v1"),
        ("ANTIPHON_PROVIDERS__P__MODELS", models),
        ("ANTIPHON_PROVIDERS__P__API_KEY_ENV", "KEY"),
        ("ANTIPHON_PROVIDERS__P__CONNECT_TIMEOUT", "10s"),
        ("KEY", "canary"),
    ];
    let environment: Environment =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    Config::load(None, &environment).unwrap().providers.remove("p").unwrap()
}

#[tokio::test(start_paused = true)]
async fn there_is_a_line_about_each_in_order_and_nobody_holds_up_the_others() {
    let unauthorized = Error::Status { status: 401, retry_after: None, report: Report::Other };
    let cases = [
        ("a", "m, n", None, "not reachable: the provider did not answer in time"),
        ("b", "m", Some(Ok(())), "reachable, 1 model"),
        ("c", "m, n", Some(Ok(())), "reachable, 2 models"),
        ("d", "*", Some(Ok(())), "reachable, any model"),
        ("e", "m, *", Some(Ok(())), "reachable, 1 model and any other"),
        ("f", "m, n, *", Some(Ok(())), "reachable, 2 models and any other"),
        ("g", "m", Some(Err(Error::Unreachable)), "not reachable: the provider could not be reached"),
        ("h", "m", Some(Err(unauthorized)), "not reachable: the provider answered with status 401"),
        ("i", "m", None, "not reachable: the provider did not answer in time"),
    ];
    let providers = cases.clone().map(|(_, models, ..)| configured(models));
    let built = cases.iter().zip(&providers).map(|((name, _, answer, _), configured)| BuiltProvider {
        name,
        configured,
        provider: Arc::new(Answers(answer.clone())) as Arc<dyn Provider>,
    });
    let eliza = Config::load(None, &Environment::default()).unwrap().providers.remove("eliza").unwrap();
    let local = BuiltProvider { name: "eliza", configured: &eliza, provider: Arc::new(Answers(None)) };
    let built: Vec<BuiltProvider<'_>> = built.chain([local]).collect();
    let began = Instant::now();
    let told = timeout(Duration::from_mins(1), lines(&built, LogFormat::Text)).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    let expected =
        cases.map(|(name, _, _, found)| format!("Provider {name} (chat_completions, http://h/v1): {found}\n"));
    assert_eq!(told, expected.concat());
}
