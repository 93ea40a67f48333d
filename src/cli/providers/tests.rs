use std::num::NonZeroUsize;
use std::time::Duration;

use super::build;
use crate::actors::ProviderOptions;
use crate::cli::tests::configured;
use crate::provider::GateLimits;

#[test]
fn what_stands_in_front_of_a_provider_is_what_the_configuration_says() {
    let config = configured(
        "[providers.p]\nkind = \"chat_completions\"\nbase_url = \"http://h/v1\"\nmodels = [\"m\"]\nmax_concurrent = 1\n\
         max_queue = 2\nmax_concurrent_per_key = 3\nqueue_timeout = \"4s\"\nmax_retries = 5\n\
         [providers.eliza]\nmax_concurrent = 6\nmax_queue = 7",
    );
    let told = |name: &str| {
        let ProviderOptions { gate, queue_timeout, retry, .. } = config.providers[name].options();
        (gate, queue_timeout, retry.max_retries)
    };
    let gate = |max_concurrent: usize, max_queue: usize, max_concurrent_per_key: Option<usize>| GateLimits {
        max_concurrent: NonZeroUsize::MIN.saturating_add(max_concurrent - 1),
        max_queue,
        max_concurrent_per_key: max_concurrent_per_key.and_then(NonZeroUsize::new),
    };
    assert_eq!(told("p"), (gate(1, 2, Some(3)), Duration::from_secs(4), 5));
    assert_eq!(told("eliza"), (gate(6, 7, None), Duration::from_secs(30), 2));
    let names = build(&config).map(|built| built.into_iter().map(|built| built.name).collect::<Vec<_>>());
    assert_eq!(names.ok(), Some(vec!["eliza", "p"]));
}

#[test]
fn a_provider_of_which_nothing_is_said_has_the_limits_of_the_library() {
    let config = configured("[providers.p]\nkind = \"chat_completions\"\nbase_url = \"http://h/v1\"\nmodels = [\"m\"]");
    for provider in config.providers.values() {
        assert_eq!(provider.options(), ProviderOptions::default());
    }
}

#[test]
fn only_a_provider_that_is_to_keep_its_responses_can_be_listened_to_again() {
    let config = configured(
        "[providers.a]\nkind = \"responses\"\nbase_url = \"http://h/v1\"\nmodels = [\"a\"]\nreattach = true\n\
         [providers.b]\nkind = \"responses\"\nbase_url = \"http://h/v1\"\nmodels = [\"b\"]\n\
         [providers.c]\nkind = \"chat_completions\"\nbase_url = \"http://h/v1\"\nmodels = [\"c\"]",
    );
    let built = build(&config).unwrap_or_default();
    let told: Vec<(&str, bool)> = built.iter().map(|built| (built.name, built.provider.can_reattach())).collect();
    assert_eq!(told, [("a", true), ("b", false), ("c", false), ("eliza", false)]);
}
