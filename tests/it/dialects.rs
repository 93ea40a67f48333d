//! Bytes of other people's servers, and the streams that clients get of them: for ever the same.
//!
//! An answer is a file `NAME.upstream` in `tests/upstream`, byte for byte as the provider sends it; its stream is the
//! file `NAME.sse` beside it. The bytes go over a socket through the adapter, the actors, the log and the fold.
//! `ANTIPHON_WRITE_GOLDEN=1` writes the streams that are not there yet; read them before you keep them.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use antiphon::{
    Antiphon, Clock,
    access::AccountService,
    actors::{DeliveryMode, Emission, ProviderOptions},
    domain::{
        DisconnectPolicy, Encoding, Prompt, Request, ResponseOptions, RetryPolicy, RunPlan, Target, Timestamp,
        ToolPolicy, View,
    },
    protocol::{
        ContentPart, FunctionTool, Item, ItemId, ItemStatus, JsonObject, Message, ResponseId, Role, Tool, UserId,
    },
    provider::{Anthropic, ChatCompletions, Provider, Responses, UpstreamOptions},
    store::{SqlStore, StoreOptions},
    testkit::{Script, ScriptedProvider},
    tokens::{TokenCounter, TokenError},
    vault::{KeyRing, Vault},
};
use async_trait::async_trait;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

const AT: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/upstream")
}

/// All answers by their names.
fn answers() -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let answers = files.filter(|file| file.extension().is_some_and(|extension| extension == "upstream"));
    answers.map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&file).unwrap())).collect()
}

/// Streams that can be compared need a time that stands still.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        AT
    }
}

#[derive(Debug)]
struct WordCounter;

#[async_trait]
impl TokenCounter for WordCounter {
    async fn count(&self, _: Encoding, texts: &[&str]) -> Result<u64, TokenError> {
        Ok(texts.iter().map(|text| text.split_whitespace().count() as u64).sum())
    }
}

/// A node whose only provider plays the answers.
struct Listener {
    provider: ScriptedProvider,
    antiphon: Antiphon,
    user: UserId,
    _folder: TempDir,
}

impl Listener {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("antiphon.db").display());
        let sql = Arc::new(SqlStore::connect(StoreOptions::new(&url)).await.unwrap());
        sql.migrate().await.unwrap();
        let vault = Vault::new(KeyRing::generate().unwrap(), sql.clone());
        let user = AccountService::new(sql.clone(), vault.clone()).create_user("somebody", AT).await.unwrap().id;
        let provider = ScriptedProvider::start();
        let upstream = || UpstreamOptions::new(provider.base_url());
        let chat: Arc<dyn Provider> = Arc::new(ChatCompletions::new(upstream()).unwrap());
        let anthropic: Arc<dyn Provider> = Arc::new(Anthropic::new(upstream()).unwrap());
        let responses: Arc<dyn Provider> = Arc::new(Responses::new(upstream()).unwrap());
        // The protocol that an answer is in stands at the beginning of its name.
        let adapter = |name: &str| match name.split_once('_') {
            Some(("anthropic", _)) => anthropic.clone(),
            Some(("responses", _)) => responses.clone(),
            Some(_) | None => chat.clone(),
        };
        // Each answer is asked for once, and has a name of its own: what fails must not close the door to the rest.
        let retry = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
        let limits = ProviderOptions { retry, ..ProviderOptions::default() };
        let options = ResponseOptions { arbiters: 1, ..ResponseOptions::default() };
        let builder = Antiphon::builder(sql, vault).token_counter(WordCounter).clock(Stopped).responses(options);
        let builder = answers().into_keys().fold(builder, |builder, name| {
            let provider = adapter(&name);
            builder.provider_with_options(name, provider, limits)
        });
        let antiphon = builder.start().unwrap();
        Self { provider, antiphon, user, _folder: folder }
    }

    /// What a client gets of an answer.
    async fn hear(&self, name: &str, script: Script) -> String {
        self.provider.script(name, script);
        let wish = DeliveryMode::Events { view: View::default(), from: 0 };
        let mut reader = self.antiphon.respond(self.plan(name), wish).await.unwrap();
        let mut stream = String::new();
        loop {
            match reader.emissions.recv().await {
                Some(Emission::Frame { bytes, .. } | Emission::Part { bytes }) => {
                    stream.push_str(std::str::from_utf8(&bytes).unwrap())
                }
                Some(Emission::End) => return stream,
                Some(Emission::Unavailable { .. }) | None => unreachable!("{name}: no end of the stream: {stream}"),
            }
        }
    }

    /// A request that wants everything that an answer can hold.
    fn plan(&self, name: &str) -> RunPlan {
        let id = ResponseId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
        let said = Item::Message(Message {
            id: ItemId::of_input("msg_", id, 0),
            role: Role::User,
            status: ItemStatus::Completed,
            content: vec![ContentPart::input_text("How is the weather?")],
            extra: JsonObject::new(),
        });
        let weather = Tool::Function(FunctionTool {
            name: "weather".to_owned(),
            description: None,
            parameters: Some(json!({ "type": "object" }).into()),
            strict: None,
        });
        // Anthropic's protocol has no probabilities.
        let probabilities = (!name.starts_with("anthropic_")).then_some(Request::INCLUDE_LOGPROBS);
        let include = probabilities.into_iter().chain([Request::INCLUDE_ENCRYPTED_REASONING]);
        let include = include.map(str::to_owned).collect();
        RunPlan {
            id,
            user: self.user,
            request_id: format!("req_{name}"),
            request: Arc::new(Request { tools: vec![weather], include, ..Request::new("a-model", 512) }),
            input: vec![said.clone()],
            prompt: Arc::new(Prompt { instructions: None, items: vec![said] }),
            caller: "tester".to_owned(),
            targets: vec![Target::new(name, name)],
            encoding: Encoding::default(),
            prompt_tokens: 4,
            disconnect: DisconnectPolicy::Continue,
            idempotency: None,
            resumable: true,
            tools: ToolPolicy::default(),
        }
    }
}

#[tokio::test]
async fn every_answer_gives_the_stream_beside_it_also_byte_by_byte() {
    let write = std::env::var_os("ANTIPHON_WRITE_GOLDEN").is_some();
    let (listener, patient) = (Listener::start().await, Listener::start().await);
    let answers = answers();
    assert!(answers.len() >= 60, "only {} answers", answers.len());
    for (name, bytes) in answers {
        let script = Script::new().raw(bytes);
        let stream = listener.hear(&name, script.clone()).await;
        let file = folder().join(&name).with_extension("sse");
        if write && !file.exists() {
            fs::write(&file, &stream).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_else(|_| unreachable!("{name} has no stream"));
        assert_eq!(stream, expected, "{name}");
        assert_eq!(patient.hear(&name, script.bytewise()).await, expected, "{name}, byte by byte");
    }
}

#[test]
fn what_every_answer_is_after_is_written_down() {
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    let told: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(told, answers().keys().collect::<Vec<_>>(), "one line for each, in the order of the names");
}
