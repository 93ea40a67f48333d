#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Admission, Admitted, Histories, Model, ModelCatalog, PromptCounter, Refusal, RequestContext};
use crate::actors::{History, HistoryError};
use crate::domain::{DisconnectMode, Encoding, Idempotency, LimitOptions, Offence, Prompt, Request, Target};
use crate::protocol::{
    ContentPart, Extra, FunctionCall, Item, ItemId, ItemStatus, Message, NarrowChoice, ReasoningConfig, ResponseId,
    Role, TextFormat, Tool, ToolChoice, UserId, Verbosity,
};
use crate::tokens::TokenError;

/// Ten tokens an item, and ten a tool.
#[derive(Debug)]
struct TenAnItem;

#[async_trait]
impl PromptCounter for TenAnItem {
    async fn prompt_tokens(&self, _: Encoding, prompt: &Prompt) -> Result<u32, TokenError> {
        if prompt.items.len() > 500 {
            return Err(TokenError::TooMany);
        }
        Ok(u32::try_from(prompt.items.len()).unwrap() * 10)
    }

    async fn definition_tokens(&self, _: Encoding, tools: &[Tool], _: &TextFormat) -> Result<u32, TokenError> {
        Ok(u32::try_from(tools.len()).unwrap() * 10)
    }
}

#[derive(Debug, Default)]
struct Said {
    history: Mutex<Option<Result<History, HistoryError>>>,
    asked: Mutex<Vec<usize>>,
}

#[async_trait]
impl Histories for Said {
    async fn history(&self, _: UserId, _: ResponseId, most: usize) -> Result<History, HistoryError> {
        self.asked.lock().push(most);
        self.history.lock().take().unwrap_or(Err(HistoryError::NotFound))
    }
}

fn admission(context_window: u32, said: Result<History, HistoryError>) -> (Admission, Arc<Said>) {
    let model = Model {
        id: "m".to_owned(),
        target: Target::new("p", "u"),
        fallbacks: Vec::new(),
        context_window,
        encoding: Encoding::O200kBase,
        default_output_tokens: 2_048,
        max_output_tokens: 4_096,
        owned_by: "tests".to_owned(),
        created: 0,
    };
    let said = Arc::new(Said { history: Mutex::new(Some(said)), asked: Mutex::default() });
    let admission = Admission {
        models: Arc::new([model].into_iter().collect::<ModelCatalog>()),
        limits: LimitOptions::default(),
        disconnect: DisconnectMode::Grace,
        grace: Duration::from_secs(10),
        histories: Arc::clone(&said) as Arc<dyn Histories>,
        counter: Arc::new(TenAnItem),
    };
    (admission, said)
}

fn turns(count: usize) -> Vec<Item> {
    (0..count).map(|turn| message(&format!("turn {turn}"))).collect()
}

fn message(text: &str) -> Item {
    let content = vec![ContentPart::InputText { text: text.to_owned() }];
    let id = ItemId::from(format!("msg_{text}"));
    Item::Message(Message { id, role: Role::User, status: ItemStatus::Completed, content, extra: Extra::new() })
}

fn call(call_id: &str) -> Item {
    Item::FunctionCall(FunctionCall {
        id: ItemId::from(format!("fc_{call_id}")),
        call_id: call_id.to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        status: ItemStatus::Incomplete,
        extra: Extra::new(),
    })
}

async fn plan(admission: &Admission, keys: Value) -> Result<Admitted, Refusal> {
    plan_with_key(admission, keys, None).await
}

async fn plan_with_key(
    admission: &Admission,
    keys: Value,
    idempotency: Option<Idempotency>,
) -> Result<Admitted, Refusal> {
    let mut body = json!({"model": "m", "input": "hi"});
    body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let asked =
        RequestContext { request_id: "req".to_owned(), caller: "key".to_owned(), disconnect: None, idempotency };
    admission.plan(UserId::new(), serde_json::from_value(body).unwrap(), asked).await
}

fn all(items: Vec<Item>) -> Result<History, HistoryError> {
    Ok(History { items, complete: true })
}

#[tokio::test]
async fn history_stands_before_the_input_and_is_bounded() {
    let (admission, said) = admission(10_000, all(turns(3)));
    let Admitted { plan, .. } = plan(&admission, json!({"previous_response_id": ResponseId::new()})).await.unwrap();
    assert_eq!(plan.prompt.items[..3], turns(3));
    assert_eq!(plan.prompt.items[3..], plan.input);
    assert_eq!((plan.prompt_tokens, plan.request.max_output_tokens), (40, 2_048));
    assert_eq!(*said.asked.lock(), [1_000]);
}

#[tokio::test]
async fn a_prompt_over_its_budget_is_refused_unless_its_history_may_be_shortened() {
    // A window of 100 leaves 50 for the prompt if the request does not say: five items.
    let previous = json!({"previous_response_id": ResponseId::new()});
    for (turn_count, fits) in [(4, true), (5, false)] {
        let (admission, _) = admission(100, all(turns(turn_count)));
        match plan(&admission, previous.clone()).await {
            Ok(admitted) => assert!(fits && admitted.plan.prompt_tokens == 50),
            Err(refusal) => assert!(
                !fits && matches!(refusal, Refusal::ContextTooLong { tokens: Some(60), budget: 50 }),
                "{refusal:?}"
            ),
        }
    }
    // Three hundred, and more than can be counted.
    for turn_count in [5, 300, 600] {
        let (admission, _) = admission(100, all(turns(turn_count)));
        let auto = json!({"previous_response_id": ResponseId::new(), "truncation": "auto"});
        let Admitted { plan, .. } = plan(&admission, auto).await.unwrap();
        assert_eq!((plan.prompt.items.len(), plan.prompt_tokens), (5, 50));
        assert_eq!(plan.prompt.items[..4], turns(turn_count)[turn_count - 4..]);
        assert_eq!(plan.prompt.items[4..], plan.input);
    }
}

#[tokio::test]
async fn the_current_turn_is_never_shortened() {
    let (admission, _) = admission(100, all(turns(3)));
    let input: Vec<_> = (0..6).map(|_| json!({"role": "user", "content": "now"})).collect();
    let asked = json!({"previous_response_id": ResponseId::new(), "truncation": "auto", "input": input});
    let refusal = plan(&admission, asked).await.unwrap_err();
    assert!(matches!(refusal, Refusal::ContextTooLong { tokens: Some(60), budget: 50 }), "{refusal:?}");
}

#[tokio::test]
async fn the_calls_that_the_input_answers_are_never_left_out() {
    let answer = json!([{"type": "function_call_output", "call_id": "a", "output": "o"}]);
    let asked = || json!({"previous_response_id": ResponseId::new(), "truncation": "auto", "input": answer});
    // Room for five items: the call, its answer, and three more.
    let (admission_of_ten, _) = admission(100, all([turns(10), vec![call("a")]].concat()));
    let Admitted { plan: made, .. } = plan(&admission_of_ten, asked()).await.unwrap();
    let kinds: Vec<_> = made.prompt.items.iter().map(kind).collect();
    assert_eq!(kinds, ["message", "message", "message", "call a", "output a"]);
    // None even for what was said since.
    let (admission_since, _) = admission(100, all([vec![call("a")], turns(5)].concat()));
    let refusal = plan(&admission_since, asked()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::ContextTooLong { tokens: Some(70), budget: 50 }), "{refusal:?}");
}

#[tokio::test]
async fn the_tools_that_may_be_called_count_and_are_never_left_out() {
    let tools: Value = ["f", "g", "h"].map(|name| json!({"type": "function", "name": name})).into_iter().collect();
    let only_f = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]});
    for (choice, tokens, items) in [(json!("auto"), 50, 2), (only_f, 50, 4), (json!("none"), 50, 5)] {
        let (admission, _) = admission(100, all(turns(5)));
        let keys = json!({
            "previous_response_id": ResponseId::new(), "truncation": "auto", "tools": tools, "tool_choice": choice,
        });
        let Admitted { plan, .. } = plan(&admission, keys).await.unwrap();
        assert_eq!((plan.prompt_tokens, plan.prompt.items.len()), (tokens, items), "{choice}");
        assert_eq!(plan.request.tools.len(), 3, "all are echoed");
    }
    let many: Value = (0..5).map(|n| json!({"type": "function", "name": format!("f{n}")})).collect();
    let (admission, _) = admission(100, all(Vec::new()));
    let refusal = plan(&admission, json!({"tools": many, "truncation": "auto"})).await.unwrap_err();
    assert!(matches!(refusal, Refusal::ContextTooLong { tokens: Some(60), budget: 50 }), "{refusal:?}");
}

#[tokio::test]
async fn what_is_asked_for_is_in_the_plan() {
    let (admission, _) = admission(10_000, all(Vec::new()));
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
    let Admitted { plan, stream, .. } = plan(&admission, keys).await.unwrap();
    let request = plan.request;
    assert_eq!(request.tools.iter().map(Tool::name).collect::<Vec<_>>(), ["f"]);
    assert_eq!(request.tool_choice, ToolChoice::Narrow(NarrowChoice::Function { name: "f".to_owned() }));
    assert_eq!((request.parallel_tool_calls, request.max_tool_calls), (Some(false), Some(3)));
    assert_eq!((&request.text.format, request.text.verbosity), (&TextFormat::JsonObject, Some(Verbosity::Low)));
    let reasoning = ReasoningConfig { effort: Some("low".to_owned()), summary: Some("auto".to_owned()) };
    assert_eq!(request.reasoning, Some(reasoning));
    assert_eq!(request.top_logprobs, 2);
    assert_eq!(request.include, [Request::INCLUDE_LOGPROBS, Request::INCLUDE_ENCRYPTED_REASONING]);
    assert!(request.background && plan.resumable && !stream);
}

#[tokio::test]
async fn a_history_that_is_not_all_there_needs_leave_to_be_cut() {
    let cut = || Ok(History { items: turns(2), complete: false });
    let previous = json!({"previous_response_id": ResponseId::new()});
    let (whole, _) = admission(10_000, cut());
    assert!(matches!(plan(&whole, previous).await.unwrap_err(), Refusal::HistoryTooLong { most: 1_000 }));
    let (shortened, _) = admission(10_000, cut());
    let auto = json!({"previous_response_id": ResponseId::new(), "truncation": "auto"});
    assert_eq!(plan(&shortened, auto).await.unwrap().plan.prompt.items.len(), 3);
}

#[tokio::test]
async fn a_response_to_go_on_from_must_be_there_and_have_ended() {
    let previous = json!({"previous_response_id": ResponseId::new()});
    let (missing, _) = admission(10_000, Err(HistoryError::NotFound));
    let refusal = plan(&missing, previous.clone()).await.unwrap_err();
    let Refusal::Violation(violation) = refusal else { unreachable!("{refusal:?}") };
    assert_eq!(violation.offence, Offence::PreviousNotFound);
    let (running, _) = admission(10_000, Err(HistoryError::StillRunning));
    assert!(matches!(plan(&running, previous).await.unwrap_err(), Refusal::PreviousRunning { .. }));
}

#[tokio::test]
async fn calls_that_nobody_answered_are_closed_in_the_prompt_alone() {
    let (admission, _) = admission(10_000, all(vec![call("a"), call("b"), message("then")]));
    let answer = json!([{"type": "function_call_output", "call_id": "b", "output": "late"}]);
    let asked = json!({"previous_response_id": ResponseId::new(), "input": answer});
    let Admitted { plan, .. } = plan(&admission, asked).await.unwrap();
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
    for (input, message) in [
        (json!([call, output]), None),
        (json!([output]), Some("No tool call found for function call output with call_id c.")),
        (json!([output, call]), None),
        (json!([call, output, output]), Some("There is more than one output for function call c.")),
        (json!([call]), Some("No tool output found for function call c.")),
    ] {
        let (admission, _) = admission(10_000, all(Vec::new()));
        let refusal = plan(&admission, json!({"input": input})).await.err().map(|refusal| refusal.to_string());
        assert_eq!(refusal.as_deref(), message);
    }
}

#[tokio::test]
async fn output_tokens_are_what_the_model_allows() {
    for (context_window, asked, granted) in [
        (10_000, None, Some(2_048)),
        (1_000, None, Some(500)),
        (10_000, Some(4_096), Some(4_096)),
        (10_000, Some(4_097), None),
        (1_000, Some(999), None),
        (1_000, Some(1_000), None),
    ] {
        let (admission, _) = admission(context_window, all(Vec::new()));
        let plan = plan(&admission, json!({"max_output_tokens": asked})).await;
        let got = plan.ok().map(|admitted| admitted.plan.request.max_output_tokens);
        assert_eq!(got, granted, "{asked:?} of {context_window}");
    }
}

#[tokio::test]
async fn who_learns_the_id_or_has_a_key_can_come_back_to_a_stored_response() {
    let key = Some(Idempotency { key: [1; 32], fingerprint: [2; 32] });
    for (keys, idempotency, resumable) in [
        (json!({}), None, false),
        (json!({"stream": true}), None, true),
        (json!({"background": true}), None, true),
        (json!({}), key, true),
        (json!({"store": false}), key, false),
        (json!({"store": false, "stream": true}), key, false),
    ] {
        let (admission, _) = admission(10_000, all(Vec::new()));
        let plan = plan_with_key(&admission, keys.clone(), idempotency).await.unwrap().plan;
        assert_eq!((plan.resumable, plan.idempotency), (resumable, idempotency), "{keys}");
    }
}
