//! The providers of `docs/providers.md`: what each is asked for, and how it answers.

use std::{fs, path::Path};

use antiphon::testkit::Script;
use serde_json::{Value, json};

/// A provider, as its documentation and its users know it.
pub(super) struct Known {
    pub(super) heading: &'static str,
    /// What a client asks for, and what the provider is asked for.
    pub(super) model: (&'static str, &'static str),
    pub(super) path: &'static str,
    /// The environment variable of the key, and the header that the key must be in.
    pub(super) key: Option<(&'static str, &'static str)>,
    /// What it has to be told, beside the model and that it is to stream.
    pub(super) told: Value,
    /// All that it reads. What it refuses, or ignores though it matters, is not in it.
    pub(super) reads: &'static [&'static str],
    pub(super) answer: Script,
    pub(super) thought: &'static str,
    pub(super) text: &'static str,
    /// Of input and of output.
    pub(super) usage: Option<(u64, u64)>,
}

/// What a server with the Chat Completions API reads.
const CHAT: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_completion_tokens",
    "reasoning_effort",
    "temperature",
    HINT,
];

/// What a client may say to every model, and servers that refuse what they do not know must not be told.
const HINT: &str = "prompt_cache_key";

/// The same, of a server that goes by the older name of the limit.
const OLDER_CHAT: &[&str] =
    &["model", "messages", "stream", "stream_options", "max_tokens", "reasoning_effort", "temperature", HINT];

/// The same, of a server that refuses what it does not know, and tells its usage unasked.
const STRICT_CHAT: &[&str] = &["model", "messages", "stream", "max_tokens", "reasoning_effort", "temperature"];

/// What it is told of the request that all of them get.
fn chat(limit: &str) -> Value {
    let messages = [("system", "Be brief."), ("user", "Why is the sky blue?")];
    let messages = messages.map(|(role, content)| json!({ "role": role, "content": content }));
    let usage = json!({ "include_usage": true });
    json!({ "messages": messages, "stream_options": usage, limit: 256, "reasoning_effort": "low" })
}

/// An answer of `tests/upstream`.
pub(super) fn upstream(name: &str) -> Script {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upstream").join(name).with_extension("upstream");
    Script::new().raw(fs::read(file).unwrap())
}

/// Events with their names, as OpenAI's Responses and Anthropic's Messages have them.
fn named(events: &[Value]) -> Script {
    let event = |script: Script, event: &Value| {
        script.raw(format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
    };
    events.iter().fold(Script::new(), event)
}

fn openai() -> Known {
    let message = |status: &str, content: Value| json!({ "id": "msg_up", "type": "message", "role": "assistant", "status": status, "content": content });
    let thought = json!({ "id": "rs_up", "type": "reasoning", "summary": [] });
    let part = json!({ "type": "output_text", "text": "Rayleigh.", "annotations": [], "logprobs": [] });
    let usage = json!({ "input_tokens": 21, "input_tokens_details": { "cached_tokens": 0 }, "output_tokens": 70,
        "output_tokens_details": { "reasoning_tokens": 64 }, "total_tokens": 91 });
    let done = message("completed", json!([part]));
    let ended = json!({ "id": "resp_up", "object": "response", "status": "completed", "output": [thought, done], "usage": usage });
    let begun = json!({ "id": "resp_up", "object": "response", "status": "in_progress", "output": [] });
    let told = [
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.in_progress", "response": begun }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": thought }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": thought }),
        json!({ "type": "response.output_item.added", "output_index": 1, "item": message("in_progress", json!([])) }),
        json!({ "type": "response.content_part.added", "output_index": 1, "content_index": 0, "item_id": "msg_up", "part": { "type": "output_text", "text": "", "annotations": [] } }),
        json!({ "type": "response.output_text.delta", "output_index": 1, "content_index": 0, "item_id": "msg_up", "delta": "Rayleigh.", "logprobs": [], "obfuscation": "x7" }),
        json!({ "type": "response.output_text.done", "output_index": 1, "content_index": 0, "item_id": "msg_up", "text": "Rayleigh.", "logprobs": [] }),
        json!({ "type": "response.content_part.done", "output_index": 1, "content_index": 0, "item_id": "msg_up", "part": part }),
        json!({ "type": "response.output_item.done", "output_index": 1, "item": done }),
        json!({ "type": "response.completed", "response": ended }),
    ];
    let numbered = |(number, event): (usize, &Value)| {
        let mut event = event.clone();
        event["sequence_number"] = json!(number);
        event
    };
    Known {
        heading: "OpenAI",
        model: ("gpt-5-mini", "gpt-5-mini"),
        path: "/v1/responses",
        key: Some(("OPENAI_API_KEY", "authorization")),
        told: json!({ "instructions": "Be brief.", "store": false, "max_output_tokens": 256, "reasoning": { "effort": "low" },
            "include": ["reasoning.encrypted_content"] }),
        reads: &[
            "model",
            "instructions",
            "input",
            "stream",
            "store",
            "max_output_tokens",
            "reasoning",
            "include",
            "temperature",
            HINT,
        ],
        answer: named(&told.iter().enumerate().map(numbered).collect::<Vec<_>>()),
        thought: "",
        text: "Rayleigh.",
        usage: Some((21, 70)),
    }
}

fn anthropic() -> Known {
    let begun = json!({ "id": "msg_up", "type": "message", "role": "assistant", "content": [], "model": "claude-opus-5-5",
        "stop_reason": null, "usage": { "input_tokens": 15, "cache_read_input_tokens": 4, "output_tokens": 1 } });
    let thinking = json!({ "type": "thinking", "thinking": "", "signature": "" });
    let told = [
        json!({ "type": "message_start", "message": begun }),
        json!({ "type": "content_block_start", "index": 0, "content_block": thinking }),
        json!({ "type": "ping" }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": "Light." } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "signature_delta", "signature": "c2ln" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": "Rayleigh" } }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": "." } }),
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": { "output_tokens": 40 } }),
        json!({ "type": "message_stop" }),
    ];
    Known {
        heading: "Anthropic",
        model: ("claude", "claude-opus-5-5"),
        path: "/v1/messages",
        key: Some(("ANTHROPIC_API_KEY", "x-api-key")),
        told: json!({ "system": "Be brief.", "max_tokens": 256, "thinking": { "type": "adaptive" }, "output_config": { "effort": "low" } }),
        reads: &["model", "system", "messages", "max_tokens", "stream", "thinking", "output_config", "temperature"],
        answer: named(&told),
        thought: "Light.",
        text: "Rayleigh.",
        usage: Some((19, 40)),
    }
}

/// A thought in the field that most have, and a word.
fn thinking() -> Script {
    Script::new().reasoning("Short ").reasoning("waves.").text("Blue.").finish("stop").usage(10, 5).done()
}

fn mistral_thinking() -> Script {
    let thought = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "Short waves." }] }]);
    Script::new().delta(json!({ "content": thought })).text("Blue.").finish("stop").usage(10, 5).done()
}

fn mistral_told() -> Value {
    let mut told = chat("max_tokens");
    told.as_object_mut().unwrap().shift_remove("stream_options");
    told
}

/// A server with the Chat Completions API that wants no key.
fn chat_server(heading: &'static str, model: (&'static str, &'static str), answer: Script) -> Known {
    Known {
        heading,
        model,
        path: "/v1/chat/completions",
        key: None,
        told: chat("max_completion_tokens"),
        reads: CHAT,
        answer,
        thought: "",
        text: "Blue.",
        usage: None,
    }
}

/// The same with a model that thinks.
fn thinker(heading: &'static str, model: (&'static str, &'static str), answer: Script) -> Known {
    Known { thought: "Short waves.", usage: Some((10, 5)), ..chat_server(heading, model, answer) }
}

/// Those whose models want something back of their thoughts.
fn thinkers() -> Vec<Known> {
    vec![
        Known {
            told: chat("max_tokens"),
            reads: OLDER_CHAT,
            key: Some(("DEEPSEEK_API_KEY", "authorization")),
            ..thinker("DeepSeek", ("deepseek", "deepseek-v4-pro"), thinking())
        },
        Known {
            path: "/v1beta/openai/chat/completions",
            key: Some(("GEMINI_API_KEY", "authorization")),
            thought: "",
            ..thinker("Google Gemini", ("gemini", "gemini-3-pro-preview"), Script::answer(["Blue."]))
        },
        Known {
            key: Some(("MISTRAL_API_KEY", "authorization")),
            told: mistral_told(),
            reads: STRICT_CHAT,
            ..thinker("Mistral", ("magistral", "magistral-medium-latest"), mistral_thinking())
        },
        Known {
            key: Some(("MOONSHOT_API_KEY", "authorization")),
            told: chat("max_tokens"),
            reads: OLDER_CHAT,
            ..thinker("Kimi", ("kimi", "kimi-k2.6"), thinking())
        },
        Known {
            key: Some(("MINIMAX_API_KEY", "authorization")),
            told: chat("max_tokens"),
            reads: OLDER_CHAT,
            ..thinker("MiniMax", ("minimax", "MiniMax-M3"), thinking())
        },
        Known {
            heading: "xAI",
            model: ("grok", "grok-4.20-reasoning"),
            key: Some(("XAI_API_KEY", "authorization")),
            ..openai()
        },
        Known { ..thinker("SGLang", ("qwen3", "Qwen/Qwen3-8B"), thinking()) },
    ]
}

/// Everybody who has a section on the page, in its order.
pub(super) fn everybody() -> Vec<Known> {
    // Of a build that says nothing of usage.
    let llama = Script::new().reasoning("Short ").reasoning("waves.").text("Blue.").finish("stop").done();
    let known = vec![
        openai(),
        Known {
            key: Some(("OPENAI_API_KEY", "authorization")),
            text: "Blåhimmel 🌍",
            usage: Some((14, 9)),
            ..chat_server("OpenAI, by Chat Completions", ("gpt-4o-mini", "gpt-4o-mini"), upstream("openai_text"))
        },
        Known {
            told: chat("max_tokens"),
            reads: OLDER_CHAT,
            thought: "Okay.",
            text: "Blue",
            usage: Some((12, 6)),
            ..chat_server("Ollama", ("qwen3", "qwen3:4b"), upstream("ollama_reasoning"))
        },
        Known {
            key: Some(("VLLM_API_KEY", "authorization")),
            thought: "Short waves.",
            text: "\n\nBlue.",
            usage: Some((18, 9)),
            ..chat_server("vLLM", ("qwen3", "Qwen/Qwen3-8B"), upstream("vllm_reasoning"))
        },
        Known {
            told: chat("max_tokens"),
            reads: OLDER_CHAT,
            thought: "Short waves.",
            ..chat_server("llama.cpp", ("gguf", "gguf"), llama)
        },
        anthropic(),
        Known {
            path: "/api/v1/chat/completions",
            key: Some(("OPENROUTER_API_KEY", "authorization")),
            thought: "Rays bend.",
            usage: Some((30, 12)),
            ..chat_server("OpenRouter", ("claude-or", "anthropic/claude-sonnet-4.5"), upstream("openrouter_reasoning"))
        },
    ];
    known.into_iter().chain(thinkers()).collect()
}
