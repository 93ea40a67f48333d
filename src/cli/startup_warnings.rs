//! Warnings about a valid configuration that is dangerous, which the server logs when it starts.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::system_limits::SystemLimits;
use crate::config::{Config, ConfiguredProvider, ValueSource};
use crate::store::StoreSync;

/// Lists the dangers, a sentence each, of a server that listens at `address` within these limits of the system.
pub(super) fn list(config: &Config, address: SocketAddr, limits: SystemLimits) -> Vec<String> {
    let mut warnings = Vec::new();
    if !address.ip().is_loopback() {
        warnings.push(format!(
            "other machines can reach {address}, and the server speaks no TLS: put a proxy in front of it that does, or \
             keys and conversations travel in the clear"
        ));
    }
    if config.store.options.sync == StoreSync::Normal {
        warnings.push(
            "store.sync is \"normal\": the loss of power can take the last things that clients have already seen"
                .to_owned(),
        );
    }
    if let Some(file) = file_with_open_password(config) {
        warnings.push(format!(
            "{file} has the password of the database (store.url), and others than its owner can read it: chmod 600, or \
             put the URL in store.url_file or ANTIPHON_STORE__URL, and change the password"
        ));
    }
    warnings.extend(limits.problems(config));
    for (name, provider) in &config.providers {
        let ConfiguredProvider::Upstream(upstream) = provider else { continue };
        if upstream.api_key.is_some() && is_in_the_clear(&upstream.base_url) {
            warnings.push(format!(
                "providers.{name} has a key and a base_url without TLS on another machine: the key travels in the clear"
            ));
        }
    }
    warnings
}

/// The configuration's file, if the database's password is in it and others than its owner can read it.
fn file_with_open_password(config: &Config) -> Option<String> {
    let is_url = |section: &str, key: &str| (section, key) == ("store", "url");
    let url = config.settings.iter().find(|setting| is_url(&setting.section, &setting.key))?;
    let is_written_there = matches!(url.source, ValueSource::File { .. }) && config.store.url_has_password();
    let file = config.file.as_ref().filter(|_| is_written_there)?;
    // What is not there any more can't be read by others.
    let mode = fs::metadata(file).ok()?.permissions().mode();
    (mode & 0o044 != 0).then(|| file.display().to_string())
}

/// Lists what of the data directory others than its owner can use, a sentence each.
pub(super) fn open_files(config: &Config, data_dir: &Path) -> Vec<String> {
    let database = config.store.options(data_dir).sqlite_file();
    let files = database.iter().flat_map(|file| {
        let beside = |end: &str| PathBuf::from(format!("{}{end}", file.display()));
        ["", "-wal", "-shm"].map(|end| (beside(end), "600"))
    });
    let all = std::iter::once((data_dir.to_owned(), "700")).chain(files);
    let open = all.filter_map(|(path, mode)| {
        // What is not there can't be used by others.
        let now = fs::metadata(&path).ok()?.permissions().mode() & 0o777;
        let path = path.display();
        let told =
            || format!("others than its owner can use '{path}', which has mode {now:04o}: chmod {mode} '{path}'");
        (now & 0o077 != 0).then(told)
    });
    open.collect()
}

fn is_in_the_clear(base_url: &str) -> bool {
    let Ok(url) = url::Url::parse(base_url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    url.scheme() == "http" && !is_here
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::{SystemLimits, list};
    use crate::cli::tests::configured;

    fn told(lines: &str, address: &str) -> Vec<String> {
        list(&configured(lines), address.parse().expect("an address"), SystemLimits::default())
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
    fn a_data_directory_and_a_database_that_others_can_use_are_told_of_with_what_to_do() {
        use std::fs::{self, Permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("antiphon.db");
        fs::write(&database, "").expect("room");
        let open = |of_folder: u32, of_file: u32| {
            fs::set_permissions(&database, Permissions::from_mode(of_file)).expect("its owner");
            fs::set_permissions(folder.path(), Permissions::from_mode(of_folder)).expect("its owner");
            super::open_files(&configured(""), folder.path())
        };
        assert_eq!(open(0o700, 0o600), [""; 0]);
        let told = open(0o755, 0o666);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("mode 0755: chmod 700 '"), "{told:?}");
        assert!(told[1].contains("mode 0666: chmod 600 '") && told[1].ends_with("antiphon.db'"), "{told:?}");
    }

    #[test]
    fn a_password_in_a_file_that_others_can_read_is_told_of_without_it() {
        use crate::config::{Config, Environment};
        use std::fs::{self, Permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().expect("a file");
        let told = |lines: &str, mode: u32, variable: Option<&str>| {
            fs::write(&file, lines).expect("room");
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("its owner");
            let variables = variable.map(|url| ("ANTIPHON_STORE__URL".to_owned(), url.to_owned()));
            let environment: Environment = variables.into_iter().collect();
            list(
                &Config::load(Some(file.path()), &environment).expect("valid"),
                ([127, 0, 0, 1], 1).into(),
                SystemLimits::default(),
            )
        };
        let with_password = "[store]\nurl = \"postgres://u:canary@h/d\"";
        let open = told(with_password, 0o644, None);
        assert!(open.len() == 1 && open[0].contains("store.url_file") && !open[0].contains("canary"), "{open:?}");
        assert!(open[0].starts_with(&file.path().display().to_string()), "{open:?}");
        assert_eq!(told(with_password, 0o640, None).len(), 1);
        assert_eq!(told(with_password, 0o600, None), [""; 0]);
        assert_eq!(told("[store]\nurl = \"postgres://u@h/d\"", 0o644, None), [""; 0]);
        assert_eq!(told("", 0o644, Some("postgres://u:canary@h/d")), [""; 0]);
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
