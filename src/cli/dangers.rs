//! What is dangerous about a configuration that is valid. The server says so when it starts.

use std::net::SocketAddr;

use crate::config::{Config, Provider, StoreSync};

/// A sentence for each danger, for a server that listens at `address`.
pub(super) fn of(config: &Config, address: SocketAddr) -> Vec<String> {
    let mut dangers = Vec::new();
    if !address.ip().is_loopback() {
        dangers.push(format!(
            "other machines can reach {address}, and the server speaks no TLS: put a proxy in front of it that does, or \
             keys and conversations travel in the clear"
        ));
    }
    if config.store.sync == StoreSync::Normal {
        dangers.push(
            "store.sync is \"normal\": the loss of power can take the last things that clients have already seen"
                .to_owned(),
        );
    }
    for (name, provider) in &config.providers {
        let Provider::Upstream(section) = provider else { continue };
        if section.api_key.is_some() && is_in_the_clear(&section.base_url) {
            dangers.push(format!(
                "providers.{name} has a key and a base_url without TLS on another machine: the key travels in the clear"
            ));
        }
    }
    dangers
}

fn is_in_the_clear(base_url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(base_url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    url.scheme() == "http" && !is_here
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::of;
    use crate::cli::tests::configured;

    fn told(lines: &str, address: &str) -> Vec<String> {
        of(&configured(lines), address.parse().expect("an address"))
    }

    #[test]
    fn every_danger_is_told_and_the_defaults_have_none() {
        assert_eq!(told("", "127.0.0.1:8080"), [""; 0]);
        assert_eq!(told("", "[::1]:8080"), [""; 0]);
        for open in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
            let told = told("", open);
            assert!(told.len() == 1 && told[0].contains(open) && told[0].contains("TLS"), "{told:?}");
        }
        let told = told("[store]\nsync = \"normal\"", "127.0.0.1:8080");
        assert!(told.len() == 1 && told[0].contains("loss of power"), "{told:?}");
    }

    #[test]
    fn a_key_that_travels_in_the_clear_is_told_of_and_others_are_not() {
        use std::io::Write as _;
        let mut key = tempfile::NamedTempFile::new().expect("a file");
        key.write_all(b"sk-1").expect("room");
        let provider = |url: &str, key: &str| {
            told(
                &format!("[providers.a]\nkind = \"responses\"\nbase_url = \"{url}\"\nmodels = [\"m\"]\n{key}"),
                "127.0.0.1:1",
            )
        };
        let key = format!("api_key_file = {:?}", key.path());
        assert_eq!(provider("http://gpu:8000/v1", &key).len(), 1);
        for url in ["https://gpu/v1", "http://localhost:1/v1", "http://127.0.0.1/v1", "http://[::1]/v1"] {
            assert_eq!(provider(url, &key), [""; 0]);
        }
        assert_eq!(provider("http://gpu:8000/v1", ""), [""; 0]);
    }
}
