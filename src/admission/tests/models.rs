//! Which model a request is asked at, and where else.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::json;

use super::Stage;
use crate::admission::{Fallback, Model, ModelCatalog};
use crate::domain::{Encoding, LimitOptions, Prompt, Target, Violation};
use crate::refusal::Refusal;
use crate::tokens::{TokenCounter, TokenError};

/// Every prompt has a hundred tokens.
#[derive(Debug)]
struct AHundred;

#[async_trait]
impl TokenCounter for AHundred {
    async fn count(&self, _: Encoding, _: &[&str]) -> Result<u64, TokenError> {
        Ok(0)
    }

    async fn prompt_tokens(&self, _: Encoding, _: &Prompt) -> Result<u32, TokenError> {
        Ok(100)
    }
}

fn model(id: &str, fallbacks: &[(&str, u32)]) -> Model {
    let fallback = |(name, context_window): &(&str, u32)| Fallback {
        target: Target::new("other", *name),
        context_window: *context_window,
    };
    Model {
        id: id.to_owned(),
        target: Target::new("own", format!("upstream-{id}")),
        fallbacks: fallbacks.iter().map(fallback).collect(),
        context_window: 1_000,
        encoding: Encoding::Cl100kBase,
        default_output_tokens: Some(200),
        owned_by: "own".to_owned(),
        created: 0,
    }
}

/// Where a request would be asked, as provider and model.
async fn asked(catalog: ModelCatalog, keys: serde_json::Value) -> Result<Vec<(String, String)>, Refusal> {
    let stage = Stage::start(catalog, LimitOptions::default(), AHundred).await;
    let targets = stage.plan(keys).await?.plan.targets;
    Ok(targets.into_iter().map(|target| (target.provider, target.model)).collect())
}

fn targets(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(provider, model)| ((*provider).to_owned(), (*model).to_owned())).collect()
}

#[tokio::test]
async fn fallbacks_without_room_for_prompt_and_output_are_left_out() {
    let catalog: ModelCatalog =
        [model("m", &[("large", 300), ("exact", 299), ("small", 298), ("tiny", 100)])].into_iter().collect();
    for (output, names) in
        [(199, vec!["large", "exact"]), (200, vec!["large"]), (201, vec![]), (16, vec!["large", "exact", "small"])]
    {
        let body = json!({ "model": "m", "input": "Hi.", "max_output_tokens": output });
        let names: Vec<_> = names.into_iter().map(|name| ("other", name)).collect();
        let expected = [vec![("own", "upstream-m")], names].concat();
        assert_eq!(asked(catalog.clone(), body).await.unwrap(), targets(&expected), "{output}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_goes_on_to_the_provider_that_takes_any() {
    let named = || [model("m", &[])].into_iter().collect::<ModelCatalog>();
    let body = |model: &str| json!({ "model": model, "input": "Hi." });
    let refusal = asked(named(), body("org/new")).await.unwrap_err();
    assert_eq!(refusal, Violation::unknown_model("org/new").into());
    let catalog = || named().with_any(model("*", &[("spare", 10_000)]));
    let passed = asked(catalog(), body("org/new")).await.unwrap();
    assert_eq!(passed, targets(&[("own", "org/new"), ("other", "spare")]));
    assert_eq!(asked(catalog(), body("m")).await.unwrap(), targets(&[("own", "upstream-m")]));
    let found = catalog().get("org/new").unwrap().into_owned();
    assert_eq!((found.id.as_str(), found.encoding), ("org/new", Encoding::Cl100kBase));
    assert!(catalog().get("").is_none());
    assert_eq!(catalog().iter().map(|model| model.id.clone()).collect::<Vec<_>>(), ["m"]);
}

#[tokio::test]
async fn ten_thousand_names_of_models_leave_nothing_behind() {
    let catalog = [model("m", &[])].into_iter().collect::<ModelCatalog>().with_any(model("*", &[]));
    let stage = Stage::start(catalog, LimitOptions::default(), AHundred).await;
    let admission = stage.antiphon.admission();
    let models = admission.models();
    let kept = || (format!("{:?}", stage.antiphon.providers()), format!("{models:?}"));
    let before = kept();
    let mut names_in_the_clear = BTreeSet::new();
    for number in 0..10_000_u32 {
        let name = format!("{:x}/{number}", number.wrapping_mul(2_654_435_761));
        let plan = stage.plan(json!({ "model": name, "input": "Hi." })).await.unwrap().plan;
        names_in_the_clear.insert(models.plain_name(&name).to_owned());
        assert_eq!(plan.targets, [Target::new("own", name)]);
    }
    assert_eq!(names_in_the_clear.into_iter().collect::<Vec<_>>(), ["*"]);
    assert_eq!(kept(), before);
}
