#![expect(clippy::unwrap_used, reason = "tests")]

mod history;
mod models;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Admitted, Model, ModelCatalog, RequestContext};
use crate::access::AccountService;
use crate::actors::{DeliveryMode, ResponsePhase};
use crate::antiphon::Antiphon;
use crate::domain::{
    DisconnectPolicy, Encoding, Idempotency, LimitOptions, Offence, Prompt, Request, ResponseOptions, RunPlan, Target,
    Timestamp, ToolPolicy, Violation,
};
use crate::protocol::{
    ContentPart, FunctionCall, Item, ItemId, ItemStatus, JsonObject, Message, NarrowChoice, ReasoningConfig,
    ResponseId, Role, TextFormat, Tool, ToolChoice, UserId, Verbosity,
};
use crate::refusal::Refusal;
use crate::store::{MemoryStore, Store};
use crate::testkit::PuppetProvider;
use crate::tokens::{TokenCounter, TokenError};
use crate::vault::{KeyRing, Vault};

/// Ten tokens an item, and ten a tool.
#[derive(Debug)]
struct TenAnItem;

#[async_trait]
impl TokenCounter for TenAnItem {
    async fn count(&self, _: Encoding, _: &[&str]) -> Result<u64, TokenError> {
        Ok(0)
    }

    async fn prompt_tokens(&self, _: Encoding, prompt: &Prompt) -> Result<u32, TokenError> {
        if prompt.items.len() > 500 {
            return Err(TokenError::TooMany);
        }
        Ok(u32::try_from(prompt.items.len()).unwrap() * 10)
    }

    async fn definition_tokens(&self, _: Encoding, tools: &[&Tool], _: &TextFormat) -> Result<u32, TokenError> {
        Ok(u32::try_from(tools.len()).unwrap() * 10)
    }
}

/// A node over a store in memory, a provider that says what a test has it say, and a user.
struct Stage {
    antiphon: Antiphon,
    provider: PuppetProvider,
    user: UserId,
}

impl Stage {
    /// A node whose model `m` has a context window of so many tokens.
    async fn with_window(context_window: u32) -> Self {
        Self::limited(context_window, LimitOptions::default()).await
    }

    async fn limited(context_window: u32, limits: LimitOptions) -> Self {
        let target = Target { max_output_tokens_cap: Some(4_096), ..Target::new("own", "u") };
        let model = Model { default_output_tokens: Some(2_048), context_window, ..Model::new("m", target) };
        Self::start([model].into_iter().collect(), limits, TenAnItem).await
    }

    /// A node with two providers, `own` and `other`.
    async fn start(models: ModelCatalog, limits: LimitOptions, counter: impl TokenCounter) -> Self {
        Self::over(Arc::new(MemoryStore::new()).into(), models, (limits, counter)).await
    }

    async fn over(store: Store, models: ModelCatalog, (limits, counter): (LimitOptions, impl TokenCounter)) -> Self {
        let vault = Vault::new(KeyRing::generate().unwrap(), store.accounts.clone());
        let accounts = AccountService::new(store.accounts.clone(), vault.clone());
        let user = accounts.create_user("somebody", Timestamp::from_micros(0)).await.unwrap().id;
        let provider = PuppetProvider::default();
        let antiphon = Antiphon::builder(store, vault)
            .provider("own", provider.clone())
            .provider("other", provider.clone())
            .models(models)
            .limits(limits)
            .token_counter(counter)
            .responses(ResponseOptions { arbiters: 1, ..ResponseOptions::default() })
            .start()
            .unwrap();
        Self { antiphon, provider, user }
    }

    /// Stores a response with that input and without output, and gives its id.
    async fn said(&self, input: Vec<Item>) -> ResponseId {
        self.run(self.accepted(input)).await
    }

    /// Stores a response without output, and gives its id.
    async fn run(&self, plan: RunPlan) -> ResponseId {
        let mut client = self.antiphon.respond(plan, DeliveryMode::Ending).await.unwrap();
        let call = self.provider.asked().await;
        call.open();
        call.finish();
        drop(call);
        client.phase.wait_for(|phase| matches!(phase, ResponsePhase::Ended(_))).await.unwrap();
        client.id
    }

    /// The plan of a response whose input may be any items.
    fn accepted(&self, input: Vec<Item>) -> RunPlan {
        RunPlan {
            id: ResponseId::new(),
            user: self.user,
            request_id: "req_before".to_owned(),
            request: Arc::new(Request::new("m", 16)),
            input,
            prompt: Arc::default(),
            caller: "key".to_owned(),
            targets: vec![Target::new("own", "u")],
            encoding: Encoding::default(),
            prompt_tokens: 0,
            disconnect: DisconnectPolicy::Continue,
            resumable: true,
            tools: ToolPolicy::default(),
            idempotency: None,
        }
    }

    async fn plan(&self, keys: Value) -> Result<Admitted, Refusal> {
        self.plan_with_key(keys, None).await
    }

    async fn plan_with_key(&self, keys: Value, idempotency: Option<Idempotency>) -> Result<Admitted, Refusal> {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let context =
            RequestContext { request_id: "req".to_owned(), caller: "key".to_owned(), disconnect: None, idempotency };
        self.antiphon.admission().plan(self.user, serde_json::from_value(body).unwrap(), context).await
    }
}

fn turns(count: usize) -> Vec<Item> {
    (0..count).map(|turn| message(&format!("turn {turn}"))).collect()
}

fn message(text: &str) -> Item {
    let content = vec![ContentPart::input_text(text)];
    let id = ItemId::from(format!("msg_{text}"));
    Item::Message(Message { id, role: Role::User, status: ItemStatus::Completed, content, extra: JsonObject::new() })
}

fn call(call_id: &str) -> Item {
    Item::FunctionCall(FunctionCall {
        id: ItemId::from(format!("fc_{call_id}")),
        call_id: call_id.to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        status: ItemStatus::Incomplete,
        extra: JsonObject::new(),
    })
}

#[tokio::test]
async fn a_prompt_over_its_budget_is_refused_unless_its_history_may_be_shortened() {
    // A window of 100 leaves 50 for the prompt if the request does not say: five items.
    let stage = Stage::with_window(100).await;
    let previous = stage.said(turns(4)).await;
    assert_eq!(stage.plan(json!({"previous_response_id": previous})).await.unwrap().plan.prompt_tokens, 50);
    let previous = stage.said(turns(5)).await;
    let refusal = stage.plan(json!({"previous_response_id": previous})).await.unwrap_err();
    assert_eq!(refusal, Violation::prompt_too_long(Some(60), 50).into());
    // Three hundred, and more than can be counted.
    for turn_count in [5, 300, 600] {
        let previous = stage.said(turns(turn_count)).await;
        let auto = json!({"previous_response_id": previous, "truncation": "auto"});
        let Admitted { plan, .. } = stage.plan(auto).await.unwrap();
        assert_eq!((plan.prompt.items.len(), plan.prompt_tokens), (5, 50));
        assert_eq!(plan.prompt.items[..4], turns(turn_count)[turn_count - 4..]);
        assert_eq!(plan.prompt.items[4..], plan.input);
    }
}

#[tokio::test]
async fn the_current_turn_is_never_shortened() {
    let stage = Stage::with_window(100).await;
    let previous = stage.said(turns(3)).await;
    let input: Vec<_> = (0..6).map(|_| json!({"role": "user", "content": "now"})).collect();
    let keys = json!({"previous_response_id": previous, "truncation": "auto", "input": input});
    let refusal = stage.plan(keys).await.unwrap_err();
    assert_eq!(refusal, Violation::prompt_too_long(Some(60), 50).into());
}

#[tokio::test]
async fn the_calls_that_the_input_answers_are_never_left_out() {
    let stage = Stage::with_window(100).await;
    let answer = json!([{"type": "function_call_output", "call_id": "a", "output": "o"}]);
    let keys = |previous| json!({"previous_response_id": previous, "truncation": "auto", "input": answer});
    // Room for five items: the call, its answer, and three more.
    let of_ten = stage.said([turns(10), vec![call("a")]].concat()).await;
    let Admitted { plan: made, .. } = stage.plan(keys(of_ten)).await.unwrap();
    let kinds: Vec<_> = made.prompt.items.iter().map(kind).collect();
    assert_eq!(kinds, ["message", "message", "message", "call a", "output a"]);
    // None even for what was said since.
    let since = stage.said([vec![call("a")], turns(5)].concat()).await;
    let refusal = stage.plan(keys(since)).await.unwrap_err();
    assert_eq!(refusal, Violation::prompt_too_long(Some(70), 50).into());
}

#[tokio::test]
async fn the_tools_that_may_be_called_count_and_are_never_left_out() {
    let stage = Stage::with_window(100).await;
    let previous = stage.said(turns(5)).await;
    let tools: Value = ["f", "g", "h"].map(|name| json!({"type": "function", "name": name})).into_iter().collect();
    let only_f = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]});
    for (choice, tokens, items) in [(json!("auto"), 50, 2), (only_f, 50, 4), (json!("none"), 50, 5)] {
        let keys = json!({
            "previous_response_id": previous, "truncation": "auto", "tools": tools, "tool_choice": choice,
        });
        let Admitted { plan, .. } = stage.plan(keys).await.unwrap();
        assert_eq!((plan.prompt_tokens, plan.prompt.items.len()), (tokens, items), "{choice}");
        assert_eq!(plan.request.tools.len(), 3, "all are echoed");
    }
    let many: Value = (0..5).map(|n| json!({"type": "function", "name": format!("f{n}")})).collect();
    let refusal = stage.plan(json!({"tools": many, "truncation": "auto"})).await.unwrap_err();
    assert_eq!(refusal, Violation::prompt_too_long(Some(60), 50).into());
}

#[tokio::test]
async fn what_is_asked_for_is_in_the_plan() {
    let stage = Stage::with_window(10_000).await;
    let keys = json!({
        "tools": [{"type": "function", "name": "f"}],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": false,
        "max_tool_calls": 3,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "top_logprobs": 2,
        "include": ["reasoning.encrypted_content", "file_search_call.results"],
        "background": true,
    });
    let Admitted { plan, stream, .. } = stage.plan(keys).await.unwrap();
    let request = plan.request;
    assert_eq!(request.tools.iter().map(Tool::name).collect::<Vec<_>>(), ["f"]);
    assert_eq!(request.tool_choice, ToolChoice::Narrow(NarrowChoice::Function { name: "f".to_owned() }));
    assert_eq!((request.parallel_tool_calls, request.max_tool_calls), (Some(false), Some(3)));
    assert_eq!((&request.text.format, request.text.verbosity), (&TextFormat::JsonObject, Some(Verbosity::Low)));
    let reasoning = ReasoningConfig {
        effort: Some("low".to_owned()),
        summary: Some("auto".to_owned()),
        ..ReasoningConfig::default()
    };
    assert_eq!(request.reasoning, Some(reasoning));
    assert_eq!(request.top_logprobs, 2);
    assert_eq!(request.include, [Request::INCLUDE_LOGPROBS, Request::INCLUDE_ENCRYPTED_REASONING]);
    assert!(request.background && plan.resumable && !stream);
}

#[tokio::test]
async fn a_history_that_is_not_all_there_needs_leave_to_be_cut() {
    let stage = Stage::limited(10_000, LimitOptions { history_items: 2, ..LimitOptions::default() }).await;
    let previous = stage.said(turns(3)).await;
    let refusal = stage.plan(json!({"previous_response_id": previous})).await.unwrap_err();
    assert_eq!(refusal, Violation::history_too_long(2).into());
    let auto = json!({"previous_response_id": previous, "truncation": "auto"});
    assert_eq!(stage.plan(auto).await.unwrap().plan.prompt.items.len(), 3);
}

#[tokio::test]
async fn a_response_to_go_on_from_must_be_there_and_have_ended() {
    let stage = Stage::with_window(10_000).await;
    let refusal = stage.plan(json!({"previous_response_id": ResponseId::new()})).await.unwrap_err();
    let Refusal::Invalid(violation) = refusal else { unreachable!("{refusal:?}") };
    assert_eq!(violation.offence, Offence::PreviousNotFound);
    let running = stage.antiphon.respond(stage.accepted(turns(1)), DeliveryMode::Ending).await.unwrap();
    let refusal = stage.plan(json!({"previous_response_id": running.id})).await.unwrap_err();
    assert_eq!(refusal, Refusal::StillRunning(running.id));
}

#[tokio::test]
async fn calls_that_nobody_answered_are_closed_in_the_prompt_alone() {
    let stage = Stage::with_window(10_000).await;
    let previous = stage.said(vec![call("a"), call("b"), message("then")]).await;
    let answer = json!([{"type": "function_call_output", "call_id": "b", "output": "late"}]);
    let keys = json!({"previous_response_id": previous, "input": answer});
    let Admitted { plan, .. } = stage.plan(keys).await.unwrap();
    let kinds: Vec<_> = plan.prompt.items.iter().map(kind).collect();
    assert_eq!(kinds, ["call a", "call b", "output a", "output b", "message"]);
    assert_eq!(plan.input.len(), 1);
}

fn kind(item: &Item) -> String {
    match item {
        Item::Message(_) => "message".to_owned(),
        Item::Reasoning(_) => "reasoning".to_owned(),
        Item::Other(_) => "other".to_owned(),
        Item::FunctionCall(call) => format!("call {}", call.call_id),
        Item::FunctionCallOutput(output) => format!("output {}", output.call_id),
    }
}

#[tokio::test]
async fn calls_and_answers_of_the_input_belong_together() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "o"});
    let stage = Stage::with_window(10_000).await;
    for (input, message) in [
        (json!([call, output]), None),
        (json!([output]), Some("No tool call found for function call output with call_id c.")),
        (json!([output, call]), None),
        (json!([call, output, output]), Some("There is more than one output for function call c.")),
        (json!([call]), Some("No tool output found for function call c.")),
    ] {
        let refusal = stage.plan(json!({"input": input})).await.err().map(|refusal| refusal.to_string());
        assert_eq!(refusal.as_deref(), message);
    }
}

#[tokio::test]
async fn output_tokens_are_what_was_asked_for_or_the_models_and_never_made_up() {
    for (context_window, default, cap, asked, granted) in [
        (10_000, None, None, None, Some(None)),
        (10_000, None, None, Some(9_000), Some(Some(9_000))),
        (10_000, None, None, Some(10_000), None),
        (10_000, Some(2_048), None, None, Some(Some(2_048))),
        (10_000, Some(2_048), None, Some(4_097), Some(Some(4_097))),
        (10_000, None, Some(4_096), None, Some(Some(4_096))),
        (10_000, Some(2_048), Some(4_096), None, Some(Some(2_048))),
        (10_000, None, Some(4_096), Some(4_096), Some(Some(4_096))),
        (10_000, None, Some(4_096), Some(4_097), None),
        // The prompt has half of the window.
        (1_000, Some(2_048), None, None, Some(Some(500))),
        (1_000, None, Some(4_096), None, Some(Some(500))),
        (1_000, None, Some(4_096), Some(900), Some(Some(900))),
        (1_000, None, Some(4_096), Some(1_000), None),
    ] {
        let target = Target { max_output_tokens_cap: cap, ..Target::new("own", "u") };
        let model = Model { default_output_tokens: default, context_window, ..Model::new("m", target) };
        let stage = Stage::start([model].into_iter().collect(), LimitOptions::default(), TenAnItem).await;
        let planned = stage.plan(json!({"max_output_tokens": asked})).await;
        let got = planned.as_ref().ok().map(|admitted| admitted.plan.request.max_output_tokens);
        assert_eq!(got, granted, "{asked:?} of {context_window}, {default:?}, {cap:?}");
        if let Err(Refusal::Invalid(violation)) = planned {
            assert_eq!((violation.param.as_str(), violation.offence), ("max_output_tokens", Offence::Invalid));
        }
    }
}

#[tokio::test]
async fn who_learns_the_id_or_has_a_key_can_come_back_to_a_stored_response() {
    let key = Some(Idempotency { key: [1; 32], fingerprint: [2; 32] });
    let stage = Stage::with_window(10_000).await;
    for (keys, idempotency, resumable) in [
        (json!({}), None, false),
        (json!({"stream": true}), None, true),
        (json!({"background": true}), None, true),
        (json!({}), key, true),
        (json!({"store": false}), key, false),
        (json!({"store": false, "stream": true}), key, false),
    ] {
        let plan = stage.plan_with_key(keys.clone(), idempotency).await.unwrap().plan;
        assert_eq!((plan.resumable, plan.idempotency), (resumable, idempotency), "{keys}");
    }
}
