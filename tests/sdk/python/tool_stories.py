"""Functions that the client runs: called, answered, forced, forbidden, and what can't be offered."""

import json

import openai
import pydantic
import pytest

from conftest import HELLO

TOOLS = [
    {
        "type": "function",
        "name": "weather",
        "description": "Tells the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    }
]
QUESTION = {"role": "user", "content": "What is the weather?"}


def _answer(call, text):
    return {"type": "function_call_output", "call_id": call.call_id, "output": text}


def a_function_is_called_and_its_answer_goes_back_by_id(client):
    asked = client.responses.create(model="calls-one", input=[QUESTION], tools=TOOLS)
    [call] = asked.output
    assert (call.type, call.name, call.status) == ("function_call", "weather", "completed")
    assert json.loads(call.arguments) == {"city": "Paris"}
    assert (asked.status, asked.tools[0].name, asked.tool_choice) == ("completed", "weather", "auto")
    told = client.responses.create(
        model="after-tools", previous_response_id=asked.id, input=[_answer(call, "sun")], tools=TOOLS
    )
    assert told.output_text == HELLO


def two_calls_are_answered_in_reverse_order(client):
    asked = client.responses.create(model="calls-two", input=[QUESTION], tools=TOOLS)
    paris, oslo = asked.output
    assert [json.loads(call.arguments)["city"] for call in asked.output] == ["Paris", "Oslo"]
    answers = [_answer(oslo, "rain"), _answer(paris, [{"type": "input_text", "text": "sun"}])]
    by_id = client.responses.create(
        model="after-tools", previous_response_id=asked.id, input=answers, tools=TOOLS
    )
    echoed = client.responses.create(model="after-tools", input=[QUESTION, *asked.output, *answers], tools=TOOLS)
    assert by_id.output_text == echoed.output_text == HELLO


def the_stream_helper_collects_the_arguments(client):
    with client.responses.stream(model="calls-two", input=[QUESTION], tools=TOOLS) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [event for event in events if event.type == "response.function_call_arguments.delta"]
    for call in final.output:
        pieces = [event.delta for event in deltas if event.item_id == call.id]
        assert len(pieces) > 1
        assert "".join(pieces) == call.arguments
        assert call.parsed_arguments == json.loads(call.arguments)
    done = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert [(event.name, event.arguments) for event in done] == [
        (call.name, call.arguments) for call in final.output
    ]
    answers = [_answer(call, "sun") for call in final.output]
    told = client.responses.create(model="after-tools", input=[QUESTION, *final.output, *answers], tools=TOOLS)
    assert told.output_text == HELLO


def a_function_can_be_a_pydantic_model(client):
    class weather(pydantic.BaseModel):
        city: str

    tools = [openai.pydantic_function_tool(weather)]
    [call] = client.responses.parse(model="calls-one", input=[QUESTION], tools=tools).output
    assert call.parsed_arguments == weather(city="Paris")


@pytest.mark.parametrize(
    "choice",
    [
        "auto",
        "required",
        {"type": "function", "name": "weather"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "weather"}]},
    ],
)
def what_may_be_called_is_honoured_and_echoed(client, choice):
    response = client.responses.create(
        model="calls-one", input=[QUESTION], tools=TOOLS, tool_choice=choice, parallel_tool_calls=False, max_tool_calls=2
    )
    told = response.tool_choice if isinstance(response.tool_choice, str) else response.tool_choice.to_dict()
    assert (told, response.parallel_tool_calls, response.max_tool_calls) == (choice, False, 2)
    assert response.output[0].name == "weather"


def whole_calls_need_an_answer_and_answers_a_call(client):
    asked = client.responses.create(model="calls-two", input=[QUESTION], tools=TOOLS)
    for keys in [{"input": "Never mind.", "previous_response_id": asked.id}, {"input": [QUESTION, *asked.output]}]:
        with pytest.raises(openai.BadRequestError, match="No tool output found for function call") as refused:
            client.responses.create(model="after-tools", **keys)
        assert refused.value.param == "input"
    with pytest.raises(openai.BadRequestError, match="No tool call found for function call output") as refused:
        client.responses.create(model="after-tools", input=[_answer(asked.output[0], "sun")])
    assert refused.value.param == "input"


def what_a_cancelled_response_said_can_be_sent_back(client):
    with client.responses.create(model="calls-slowly", input=[QUESTION], tools=TOOLS, stream=True) as stream:
        created = next(stream)
        next(event for event in stream if event.type == "response.function_call_arguments.delta")
        cancelled = client.responses.cancel(created.response.id)
    assert cancelled.output[-1].status == "incomplete"
    told = client.responses.create(
        model="after-tools", input=[QUESTION, *cancelled.output, {"role": "user", "content": "Go on."}], tools=TOOLS
    )
    assert told.output_text == HELLO


@pytest.mark.parametrize(
    ("parameters", "param", "code"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "unsupported_parameter"),
        ({"tools": [{"type": "teleport"}]}, "tools[0].type", None),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [*TOOLS, *TOOLS]}, "tools[1].name", None),
        ({"tool_choice": "required"}, "tool_choice", None),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "name": "f"}}, "tool_choice.name", None),
        ({"tools": TOOLS, "tool_choice": {"type": "file_search"}}, "tool_choice.type", "unsupported_parameter"),
        ({"max_tool_calls": 0}, "max_tool_calls", None),
    ],
)
def a_tool_that_can_not_be_offered_is_named(client, parameters, param, code):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{"model": "echo-fast", "input": "Hi.", **parameters})
    assert (refused.value.param, refused.value.code) == (param, code)
