"""The form of the answer: by a schema, with what the model thought, with how sure it was."""

import openai
import pydantic
import pytest

from conftest import HELLO


class Person(pydantic.BaseModel):
    name: str
    age: int


def an_answer_by_a_schema_is_parsed(client):
    response = client.responses.parse(model="writes-json", input="Who?", text_format=Person)
    assert response.output_parsed == Person(name="Ada", age=36)
    form = response.text.format
    assert (form.type, form.name, form.strict) == ("json_schema", "Person", True)
    assert form.schema_["required"] == ["name", "age"]


def the_stream_helper_parses_an_answer_by_a_schema(client):
    with client.responses.stream(model="writes-json", input="Who?", text_format=Person) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_parsed == Person(name="Ada", age=36)


def the_form_of_the_text_is_echoed(client):
    text = {"format": {"type": "json_object"}, "verbosity": "low"}
    response = client.responses.create(model="writes-json", input="Who?", text=text)
    assert response.text.to_dict() == text
    assert client.responses.create(model="writes-json", input="Who?").text.to_dict() == {"format": {"type": "text"}}


def what_the_model_thought_comes_first_and_can_be_sent_back(client):
    response = client.responses.create(
        model="thinks", input="Why?", reasoning={"effort": "low", "summary": "auto"}, include=["reasoning.encrypted_content"]
    )
    assert response.reasoning.to_dict() == {"effort": "low", "summary": "auto"}
    thought, said = response.output
    assert (thought.type, thought.content[0].text) == ("reasoning", "Let me see.")
    assert (said.type, response.output_text) == ("message", "Because.")
    again = client.responses.create(
        model="echo-fast",
        input=[{"role": "user", "content": "Why?"}, *response.output, {"role": "user", "content": "Really?"}],
    )
    assert (again.output_text, again.reasoning) == (HELLO, None)


def thoughts_are_streamed_before_the_answer(client):
    with client.responses.stream(model="thinks", input="Why?") as stream:
        types = [event.type for event in stream]
        assert stream.get_final_response().output_text == "Because."
    assert types.index("response.reasoning_text.delta") < types.index("response.output_text.delta")


@pytest.mark.parametrize(
    "asked", [{"include": ["message.output_text.logprobs"], "top_logprobs": 1}, {"top_logprobs": 1}]
)
def the_probabilities_of_tokens_are_told_to_who_asks(client, asked):
    response = client.responses.create(model="weighs", input="Hi.", **asked)
    assert response.top_logprobs == 1
    [part] = response.output[0].content
    assert [(token.token, token.logprob) for token in part.logprobs] == [("Hel", -0.5), ("lo", -0.25)]
    assert part.logprobs[0].top_logprobs[0].token == "Hel"
    events = list(client.responses.create(model="weighs", input="Hi.", stream=True, **asked))
    told = [token.token for event in events if event.type == "response.output_text.delta" for token in event.logprobs]
    assert told == ["Hel", "lo"]
    [done] = [event for event in events if event.type == "response.output_text.done"]
    assert [token.token for token in done.logprobs] == ["Hel", "lo"]


@pytest.mark.parametrize(
    ("parameters", "param", "code"),
    [
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type", None),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", "missing_required_parameter"),
        ({"text": {"verbosity": "chatty"}}, "text.verbosity", None),
        ({"reasoning": {"effort": "very hard"}}, "reasoning.effort", None),
        ({"top_logprobs": 21}, "top_logprobs", None),
        ({"include": ["everything"]}, "include", None),
    ],
)
def a_form_that_can_not_be_had_is_named(client, parameters, param, code):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{"model": "echo-fast", "input": "Hi.", **parameters})
    assert (refused.value.param, refused.value.code) == (param, code)
