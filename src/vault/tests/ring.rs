use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::vault::{KeyRing, KeySource, RingError};

const RING: &str = r#"{"current":1,"pepper":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "keys":{"1":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}"#;

#[test]
fn a_new_key_file_belongs_to_its_owner_alone_and_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    KeyRing::open_or_create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read(&path).unwrap();
    KeyRing::open_or_create(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), text);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn a_key_file_that_others_can_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    KeyRing::open_or_create(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let opened = KeyRing::open(KeySource::File(path.clone()));
        assert!(matches!(opened, Err(RingError::Exposed { mode: found, .. }) if found == mode));
    }
}

#[test]
fn an_absent_key_file_is_told_from_an_unreadable_one() {
    let dir = tempfile::tempdir().unwrap();
    let missing = KeyRing::open(KeySource::File(dir.path().join("keys.json")));
    assert!(matches!(missing, Err(RingError::Missing(_))));
    let directory = KeyRing::open(KeySource::File(dir.path().to_owned()));
    assert!(matches!(directory, Err(RingError::Exposed { .. } | RingError::File { .. })));
}

#[test]
fn a_command_gives_a_ring_and_its_failures_are_told() {
    let open = |line: &str| KeyRing::open(KeySource::Command(line.to_owned()));
    assert_eq!(open(&format!("printf %s '{RING}'")).unwrap().current_version(), 1);
    assert!(matches!(open("exit 3"), Err(RingError::CommandStatus(status)) if status.code() == Some(3)));
    assert!(matches!(KeyRing::open(KeySource::Variable("ANTIPHON_NO_SUCH".into())), Err(RingError::Variable(_))));
}

#[test]
fn a_broken_ring_is_refused_without_a_quote_of_it() {
    let secret = "c2VjcmV0";
    let texts = [
        format!("{{\"current\":1,\"pepper\":\"{secret}\"}}"),
        RING.replace("\"current\":1", "\"current\":2"),
        RING.replace("\"current\"", "\"currently\""),
        secret.to_owned(),
    ];
    for text in texts {
        let error = KeyRing::parse(&text, None).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret));
    }
}

#[test]
fn debug_output_shows_no_key() {
    let ring = KeyRing::parse(RING, None).unwrap();
    assert!(!format!("{ring:?} {:?}", ring.pepper()).contains("AAAA"));
}
