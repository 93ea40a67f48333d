use serde_json::{Value, json};

use super::{accepted, refused};
use crate::Offence;
use antiphon_protocol::{FunctionTool, NarrowChoice, Tool, ToolChoice, ToolMode};

fn functions(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"type": "function", "name": name})).collect()
}

#[test]
fn a_function_is_read_in_every_form_in_which_clients_write_it() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let valid = accepted(json!({"tools": [
        {"type": "function", "name": "bare"},
        {"type": "function", "name": "nulls", "description": null, "parameters": null, "strict": null},
        {"type": "function", "name": "whole_1-A", "description": "d", "parameters": schema, "strict": false,
         "defer_loading": true, "async": true, "output_schema": {}, "allowed_callers": ["direct"]},
    ]}));
    let none = FunctionTool { name: "bare".to_owned(), description: None, parameters: None, strict: None };
    let nulls = FunctionTool { name: "nulls".to_owned(), ..none.clone() };
    let whole = FunctionTool {
        name: "whole_1-A".to_owned(),
        description: Some("d".to_owned()),
        parameters: Some(schema.into()),
        strict: Some(false),
    };
    assert_eq!(valid.request.tools, [none, nulls, whole].map(Tool::Function));
}

#[test]
fn a_tool_that_can_not_be_offered_is_named_by_its_place() {
    for (tool, param, offence) in [
        // The form of Chat Completions.
        (json!({"type": "function", "function": {"name": "f"}}), "tools[1].name", Offence::Missing),
        (json!({"name": "f"}), "tools[1].type", Offence::Missing),
        (json!({"type": 5, "name": "f"}), "tools[1].type", Offence::Invalid),
        (json!({"type": "no such"}), "tools[1].type", Offence::Invalid),
        (json!("function"), "tools[1]", Offence::Invalid),
        (json!(["function", "f"]), "tools[1]", Offence::Invalid),
        (json!(null), "tools[1]", Offence::Invalid),
        (json!({"type": "web_search"}), "tools[1].type", Offence::Unsupported),
        (json!({"type": "file_search", "vector_store_ids": ["v"]}), "tools[1].type", Offence::Unsupported),
        (json!({"type": "mcp", "server_label": "l"}), "tools[1].type", Offence::Unsupported),
        (json!({"type": "code_interpreter", "container": {}}), "tools[1].type", Offence::Unsupported),
        (json!({"type": "custom", "name": "f"}), "tools[1].type", Offence::Unsupported),
        (json!({"type": "function", "name": ""}), "tools[1].name", Offence::Invalid),
        (json!({"type": "function", "name": "two words"}), "tools[1].name", Offence::Invalid),
        (json!({"type": "function", "name": "ü"}), "tools[1].name", Offence::Invalid),
        (json!({"type": "function", "name": "f".repeat(65)}), "tools[1].name", Offence::Invalid),
        (json!({"type": "function", "name": "first"}), "tools[1].name", Offence::Invalid),
        (json!({"type": "function", "name": "f", "description": 5}), "tools[1].description", Offence::Invalid),
        (json!({"type": "function", "name": "f", "parameters": "{}"}), "tools[1].parameters", Offence::Invalid),
        (json!({"type": "function", "name": "f", "strict": "yes"}), "tools[1].strict", Offence::Invalid),
    ] {
        refused(json!({"tools": [{"type": "function", "name": "first"}, tool]}), param, offence);
    }
}

#[test]
fn tools_and_the_letters_of_their_names_are_counted() {
    let many = |count: usize| (0..count).map(|n| json!({"type": "function", "name": format!("f{n}")}));
    assert_eq!(accepted(json!({"tools": many(128).collect::<Value>()})).request.tools.len(), 128);
    refused(json!({"tools": many(129).collect::<Value>()}), "tools", Offence::Invalid);
    accepted(json!({"tools": functions(&["f".repeat(64).as_str()])}));
}

#[test]
fn a_choice_is_a_word_or_names_tools_of_the_request() {
    for (word, mode) in [("none", ToolMode::None), ("auto", ToolMode::Auto), ("required", ToolMode::Required)] {
        let valid = accepted(json!({"tools": functions(&["f"]), "tool_choice": word}));
        assert_eq!(valid.request.tool_choice, ToolChoice::Mode(mode));
    }
    let named = accepted(json!({"tools": functions(&["f", "g"]), "tool_choice": {"type": "function", "name": "g"}}));
    assert_eq!(named.request.tool_choice, ToolChoice::Narrow(NarrowChoice::Function { name: "g".to_owned() }));
    let choice = json!({"type": "allowed_tools", "mode": "required", "tools": functions(&["g"])});
    let allowed = accepted(json!({"tools": functions(&["f", "g"]), "tool_choice": choice}));
    let ToolChoice::Narrow(choice @ NarrowChoice::AllowedTools { mode: ToolMode::Required, .. }) =
        allowed.request.tool_choice
    else {
        unreachable!("another choice")
    };
    assert!(choice.names("g") && !choice.names("f"));
}

#[test]
fn a_choice_that_can_not_be_honoured_is_named() {
    let allowed = |mode: &str, tools: Value| json!({"type": "allowed_tools", "mode": mode, "tools": tools});
    for (choice, param, offence) in [
        (json!("any"), "tool_choice", Offence::Invalid),
        (json!(5), "tool_choice", Offence::Invalid),
        (json!(["auto"]), "tool_choice", Offence::Invalid),
        (json!({}), "tool_choice.type", Offence::Missing),
        (json!({"type": "no such"}), "tool_choice.type", Offence::Invalid),
        (json!({"type": "web_search_preview"}), "tool_choice.type", Offence::Unsupported),
        (json!({"type": "computer_use"}), "tool_choice.type", Offence::Unsupported),
        (json!({"type": "mcp", "server_label": "l"}), "tool_choice.type", Offence::Unsupported),
        (json!({"type": "function"}), "tool_choice.name", Offence::Missing),
        (json!({"type": "function", "name": "g"}), "tool_choice.name", Offence::Invalid),
        // The form of Chat Completions.
        (json!({"type": "function", "function": {"name": "f"}}), "tool_choice.name", Offence::Missing),
        (json!({"type": "allowed_tools", "tools": functions(&["f"])}), "tool_choice.mode", Offence::Missing),
        (json!({"type": "allowed_tools", "mode": "auto"}), "tool_choice.tools", Offence::Missing),
        (allowed("none", functions(&["f"])), "tool_choice.mode", Offence::Invalid),
        (allowed("auto", json!([])), "tool_choice.tools", Offence::Invalid),
        (allowed("auto", json!({"type": "function", "name": "f"})), "tool_choice.tools", Offence::Invalid),
        (allowed("auto", functions(&["f", "g"])), "tool_choice.tools[1].name", Offence::Invalid),
        (allowed("auto", json!([{"type": "mcp"}])), "tool_choice.tools[0].type", Offence::Unsupported),
    ] {
        refused(json!({"tools": functions(&["f"]), "tool_choice": choice}), param, offence);
    }
    for choice in [json!("required"), json!({"type": "function", "name": "f"}), allowed("auto", functions(&["f"]))] {
        for tools in [json!(null), json!([])] {
            refused(json!({"tools": tools, "tool_choice": choice}), "tool_choice", Offence::Invalid);
        }
    }
    for choice in ["none", "auto"] {
        accepted(json!({ "tool_choice": choice }));
    }
}
