//! The tools that a request offers, and which of them it wants called.

use std::collections::HashSet;

use super::{Violation, keys::Keys, metadata::json_length};
use crate::LimitOptions;
use antiphon_protocol::{AllowedTool, CreateResponse, FunctionTool, NarrowChoice, Tool, ToolChoice, ToolMode};

/// Tool types of the API that this server does not have.
const UNSUPPORTED_TOOLS: [&str; 18] = [
    "file_search",
    "computer",
    "computer_use",
    "computer_use_preview",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "mcp",
    "code_interpreter",
    "programmatic_tool_calling",
    "image_generation",
    "local_shell",
    "shell",
    "custom",
    "namespace",
    "tool_search",
    "apply_patch",
];

/// The most tools of a request; OpenAI's number.
const MOST_TOOLS: usize = 128;

pub(super) fn tools_of(create: &CreateResponse, limits: &LimitOptions) -> Result<Vec<Tool>, Violation> {
    let given = create.tools.as_deref().unwrap_or_default();
    if json_length(&given) > limits.input_bytes {
        return Err(Violation::too_large("tools", limits.input_bytes));
    }
    if given.len() > MOST_TOOLS {
        return Err(Violation::invalid("tools", format_args!("at most {MOST_TOOLS} tools")));
    }
    let mut names = HashSet::new();
    let mut tools = Vec::with_capacity(given.len());
    for (position, tool) in given.iter().enumerate() {
        let keys = Keys::of(tool, format!("tools[{position}]"))?;
        let tool = tool_of(&keys)?;
        if !names.insert(tool.name().to_owned()) {
            return Err(Violation::invalid(keys.at("name"), "another tool has this name"));
        }
        tools.push(tool);
    }
    Ok(tools)
}

/// Keys of a function that are unknown here are ignored, as everywhere.
fn tool_of(keys: &Keys) -> Result<Tool, Violation> {
    check_kind(keys)?;
    Ok(Tool::Function(FunctionTool {
        name: keys.name("name")?,
        description: keys.text("description")?,
        parameters: keys.object("parameters")?,
        strict: keys.flag("strict")?,
    }))
}

/// Checks that a tool is a function.
fn check_kind(keys: &Keys) -> Result<(), Violation> {
    match keys.required_text("type")?.as_str() {
        "function" => Ok(()),
        known if UNSUPPORTED_TOOLS.contains(&known) => Err(Violation::unsupported(keys.at("type"))),
        _ => Err(Violation::invalid(keys.at("type"), "there is no such tool type")),
    }
}

pub(super) fn tool_choice_of(
    create: &CreateResponse,
    tools: &[Tool],
    limits: &LimitOptions,
) -> Result<ToolChoice, Violation> {
    let choice = match create.tool_choice.as_ref() {
        None => ToolChoice::default(),
        Some(choice) if choice.as_str().len() > limits.input_bytes => {
            return Err(Violation::too_large("tool_choice", limits.input_bytes));
        }
        Some(choice) => match serde_json::from_str::<String>(choice.as_str()) {
            Ok(word) => ToolChoice::Mode(mode_of(&word)?),
            Err(_) => ToolChoice::Narrow(narrow_choice_of(&Keys::of(choice, "tool_choice")?, tools)?),
        },
    };
    match &choice {
        ToolChoice::Mode(ToolMode::Required) if tools.is_empty() => Err(without_tools()),
        ToolChoice::Mode(_) | ToolChoice::Narrow(_) => Ok(choice),
    }
}

fn mode_of(word: &str) -> Result<ToolMode, Violation> {
    match word {
        "none" => Ok(ToolMode::None),
        "auto" => Ok(ToolMode::Auto),
        "required" => Ok(ToolMode::Required),
        _ => Err(Violation::invalid("tool_choice", "expected 'none', 'auto', 'required' or an object")),
    }
}

fn narrow_choice_of(keys: &Keys, tools: &[Tool]) -> Result<NarrowChoice, Violation> {
    if keys.text("type")?.as_deref() == Some("allowed_tools") {
        if tools.is_empty() {
            return Err(without_tools());
        }
        return Ok(NarrowChoice::AllowedTools { mode: allowed_mode(keys)?, tools: allowed_tools(keys, tools)? });
    }
    check_kind(keys)?;
    if tools.is_empty() {
        return Err(without_tools());
    }
    Ok(NarrowChoice::Function { name: one_of(keys, tools)? })
}

fn allowed_mode(keys: &Keys) -> Result<ToolMode, Violation> {
    match keys.word("mode", &["auto", "required"])? {
        Some("required") => Ok(ToolMode::Required),
        Some(_) => Ok(ToolMode::Auto),
        None => Err(Violation::missing(keys.at("mode"))),
    }
}

fn allowed_tools(keys: &Keys, tools: &[Tool]) -> Result<Vec<AllowedTool>, Violation> {
    let path = keys.at("tools");
    let allowed = keys.array("tools")?.ok_or_else(|| Violation::missing(&path))?;
    if allowed.is_empty() {
        return Err(Violation::invalid(&path, "expected at least one tool"));
    }
    let allowed = allowed.iter().enumerate().map(|(position, tool)| {
        let keys = Keys::of(tool, format!("{path}[{position}]"))?;
        check_kind(&keys)?;
        Ok(AllowedTool::Function { name: one_of(&keys, tools)? })
    });
    allowed.collect()
}

/// The name of one of the request's tools.
fn one_of(keys: &Keys, tools: &[Tool]) -> Result<String, Violation> {
    let name = keys.required_text("name")?;
    if tools.iter().any(|tool| tool.name() == name) {
        return Ok(name);
    }
    Err(Violation::invalid(keys.at("name"), "'tools' has no tool of this name"))
}

fn without_tools() -> Violation {
    Violation::invalid("tool_choice", "it is only allowed together with 'tools'")
}
