//! Input items, in every form in which clients write them.

use super::{
    Violation,
    content::{arguments_of, assistant_parts, client_parts, output_text, thoughts},
    metadata::check_chars,
};
use crate::{LimitOptions, json_text};
use antiphon_protocol::{
    ContentPart, FunctionCall, FunctionCallOutput, Input, InputItem, Item, ItemId, ItemStatus, Json, JsonObject,
    Message, Reasoning, ReasoningText, ResponseId, Role, SummaryText,
};

/// Item types of the API that this server can't put into a prompt.
const UNSUPPORTED_KINDS: [&str; 27] = [
    "item_reference",
    "file_search_call",
    "web_search_call",
    "computer_call",
    "computer_call_output",
    "tool_search_call",
    "tool_search_output",
    "additional_tools",
    "compaction",
    "compaction_summary",
    "compaction_trigger",
    "image_generation_call",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "custom_tool_call",
    "custom_tool_call_output",
    "program",
    "program_output",
];

/// One input item and where it stands.
struct Draft<'a> {
    path: String,
    response: ResponseId,
    position: u32,
    limits: &'a LimitOptions,
}

pub(super) fn items_of(input: Input, response: ResponseId, limits: &LimitOptions) -> Result<Vec<Item>, Violation> {
    let items = match input {
        Input::Text(text) => {
            let id = ItemId::of_input("msg_", response, 0);
            let (content, extra) = (vec![ContentPart::input_text(text)], JsonObject::new());
            return Ok(vec![Item::Message(Message {
                id,
                role: Role::User,
                status: ItemStatus::Completed,
                content,
                extra,
            })]);
        }
        Input::Items(items) if items.is_empty() => {
            return Err(Violation::invalid("input", "expected at least one item"));
        }
        Input::Items(items) => items,
    };
    (0..)
        .zip(items)
        .map(|(position, item)| Draft { path: format!("input[{position}]"), response, position, limits }.item(item))
        .collect()
}

impl Draft<'_> {
    fn item(&self, item: InputItem) -> Result<Item, Violation> {
        let kind = match (item.kind.as_deref(), &item.role, &item.id) {
            (Some(kind), _, _) => kind,
            (None, Some(_), _) => "message",
            (None, None, Some(_)) => "item_reference",
            (None, None, None) => return Err(Violation::missing(self.at("type"))),
        };
        match kind {
            "message" => self.message(item),
            "reasoning" => self.reasoning(item),
            "function_call" => self.function_call(item),
            "function_call_output" => self.function_call_output(item),
            known if UNSUPPORTED_KINDS.contains(&known) => Err(Violation::unsupported(self.at("type"))),
            _ => Err(Violation::invalid(self.at("type"), "there is no such item type")),
        }
    }

    fn message(&self, item: InputItem) -> Result<Item, Violation> {
        let role = self.role(item.role.as_deref())?;
        let content = item.content.ok_or_else(|| Violation::missing(self.at("content")))?;
        let content = match role {
            Role::Assistant => assistant_parts(content, &self.at("content"))?,
            Role::Developer | Role::System | Role::User => client_parts(content, &self.at("content"))?,
        };
        let mut extra = match role {
            Role::Assistant => self.extra(item.extra)?,
            Role::Developer | Role::System | Role::User => JsonObject::new(),
        };
        extra.extend(item.phase.map(|phase| ("phase".to_owned(), Json::from(phase.as_str()))));
        let (id, status) = (self.id("msg_", item.id)?, self.status(item.status.as_deref())?);
        Ok(Item::Message(Message { id, role, status, content, extra }))
    }

    fn reasoning(&self, item: InputItem) -> Result<Item, Violation> {
        let (id, status) = (self.id("rs_", item.id)?, self.status(item.status.as_deref())?);
        let summary = thoughts(item.summary, &self.at("summary"), "summary_text")?;
        let content = thoughts(item.content, &self.at("content"), "reasoning_text")?;
        Ok(Item::Reasoning(Reasoning {
            id,
            summary: summary.into_iter().map(|text| SummaryText { text }).collect(),
            content: content.into_iter().map(|text| ReasoningText { text }).collect(),
            encrypted_content: item.encrypted_content,
            status,
            extra: self.extra(item.extra)?,
        }))
    }

    fn function_call(&self, item: InputItem) -> Result<Item, Violation> {
        Ok(Item::FunctionCall(FunctionCall {
            call_id: self.call_id(item.call_id)?,
            name: item.name.ok_or_else(|| Violation::missing(self.at("name")))?,
            arguments: arguments_of(item.arguments, &self.at("arguments"))?,
            status: self.status(item.status.as_deref())?,
            id: self.id("fc_", item.id)?,
            extra: self.extra(item.extra)?,
        }))
    }

    fn function_call_output(&self, item: InputItem) -> Result<Item, Violation> {
        Ok(Item::FunctionCallOutput(FunctionCallOutput {
            call_id: self.call_id(item.call_id)?,
            output: output_text(item.output, &self.at("output"))?,
            status: self.status(item.status.as_deref())?,
            id: self.id("fco_", item.id)?,
        }))
    }

    /// The fields of a model's item that this server does not know: its provider may need them back.
    fn extra(&self, mut given: JsonObject) -> Result<JsonObject, Violation> {
        given.retain(|_, value| !value.is_null());
        match json_text::too_deep(&given) {
            Some(key) => Err(Violation::invalid(self.at(&key), "it is nested too deeply")),
            None => Ok(given),
        }
    }

    /// The path of one of the item's keys.
    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn id(&self, prefix: &str, given: Option<String>) -> Result<ItemId, Violation> {
        let Some(id) = given else { return Ok(ItemId::of_input(prefix, self.response, self.position)) };
        self.non_empty("id", &id)?;
        Ok(id.into())
    }

    fn call_id(&self, given: Option<String>) -> Result<String, Violation> {
        let id = given.ok_or_else(|| Violation::missing(self.at("call_id")))?;
        self.non_empty("call_id", &id)?;
        Ok(id)
    }

    fn non_empty(&self, key: &str, id: &str) -> Result<(), Violation> {
        if id.is_empty() {
            return Err(Violation::invalid(self.at(key), "it must not be empty"));
        }
        // Databases keep ids as text, and PostgreSQL's has no NUL.
        if id.chars().any(char::is_control) {
            return Err(Violation::invalid(self.at(key), "it must not have control characters"));
        }
        check_chars(&self.at(key), Some(id), self.limits.id_chars)
    }

    fn role(&self, role: Option<&str>) -> Result<Role, Violation> {
        match role {
            Some("user") => Ok(Role::User),
            Some("assistant") => Ok(Role::Assistant),
            Some("system") => Ok(Role::System),
            Some("developer") => Ok(Role::Developer),
            Some(_) => {
                let why = "expected 'user', 'assistant', 'system' or 'developer'";
                Err(Violation::invalid(self.at("role"), why))
            }
            None => Err(Violation::missing(self.at("role"))),
        }
    }

    fn status(&self, status: Option<&str>) -> Result<ItemStatus, Violation> {
        match status {
            None | Some("completed") => Ok(ItemStatus::Completed),
            Some("in_progress") => Ok(ItemStatus::InProgress),
            Some("incomplete") => Ok(ItemStatus::Incomplete),
            Some(_) => {
                let why = "expected 'in_progress', 'completed' or 'incomplete'";
                Err(Violation::invalid(self.at("status"), why))
            }
        }
    }
}
