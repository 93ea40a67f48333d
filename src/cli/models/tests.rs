#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use super::catalog;
use crate::admission::ModelCatalog;
use crate::cli::tests::configured;
use crate::domain::{Target, Timeouts};

const PROVIDERS: &str = "[providers.first]\nkind = \"chat_completions\"\nbase_url = \"http://h/v1\"\nidle_timeout = \"9s\"\n\
    models = [{ id = \"m\", total_timeout = \"1h\", fallback = [\"spare\", \"n\"] }, \"n\", \"*\"]\n\
    [providers.second]\nkind = \"chat_completions\"\nbase_url = \"http://h/v1\"\n\
    models = [{ id = \"spare\", upstream_id = \"spare:8b\", context_window = 8192, first_byte_timeout = \"2m\" }]";

fn fallbacks(catalog: &ModelCatalog, id: &str) -> Vec<(Target, u32)> {
    let model = catalog.get(id).unwrap();
    model.fallbacks.iter().map(|fallback| (fallback.target.clone(), fallback.context_window)).collect()
}

#[test]
fn a_model_is_asked_where_and_as_long_as_the_configuration_says() {
    let catalog = catalog(&configured(PROVIDERS));
    let first = Timeouts { idle: Duration::from_secs(9), ..Timeouts::default() };
    let target = |model: &str, timeouts| Target { timeouts, ..Target::new("first", model) };
    let spare = Target {
        timeouts: Timeouts { first_byte: Duration::from_mins(2), ..Timeouts::default() },
        ..Target::new("second", "spare:8b")
    };
    let asked = |id: &str| catalog.get(id).unwrap().target.clone();
    assert_eq!(asked("m"), target("m", Timeouts { total: Duration::from_hours(1), ..first }));
    assert_eq!(asked("n"), target("n", first));
    assert_eq!(asked("spare"), spare);
    assert_eq!(asked("anything/else"), target("anything/else", first));
    assert_eq!(fallbacks(&catalog, "m"), [(spare, 8192), (target("n", first), 128_000)]);
    assert_eq!(fallbacks(&catalog, "n"), []);
    assert_eq!(catalog.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["eliza", "m", "n", "spare"]);
}
