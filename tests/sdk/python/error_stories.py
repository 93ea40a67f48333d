"""What goes wrong, as the package's own exceptions."""

import openai
import pytest

UNKNOWN = "resp_" + "0" * 32


def a_bad_key_is_an_authentication_error(base_url):
    with openai.OpenAI(base_url=base_url, api_key="sk-wrong", max_retries=0) as client:
        for ask in (
            lambda: client.models.list(),
            lambda: client.responses.create(model="echo-fast", input="Hi."),
            lambda: client.responses.retrieve(UNKNOWN),
        ):
            with pytest.raises(openai.AuthenticationError) as refused:
                ask()
            assert (refused.value.status_code, refused.value.code) == (401, "invalid_api_key")


def an_unknown_response_is_not_found(client):
    for ask in (client.responses.retrieve, client.responses.cancel, client.responses.delete):
        for response_id in (UNKNOWN, "resp_abc"):
            with pytest.raises(openai.NotFoundError, match=f"Response with id '{response_id}' not found."):
                ask(response_id)
        with pytest.raises(openai.BadRequestError) as refused:
            ask("chatcmpl-1")
        assert refused.value.param == "response_id"


@pytest.mark.parametrize("stream", [False, True])
def an_unknown_model_is_not_found(client, stream):
    with pytest.raises(openai.NotFoundError) as refused:
        client.responses.create(model="none", input="Hi.", stream=stream)
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert refused.value.request_id


@pytest.mark.parametrize(
    ("parameters", "param", "code"),
    [
        ({"temperature": 2.1}, "temperature", None),
        ({"top_p": -0.1}, "top_p", None),
        ({"max_output_tokens": 15}, "max_output_tokens", None),
        ({"max_output_tokens": 1_000_001}, "max_output_tokens", None),
        ({"metadata": {f"k{n}": "v" for n in range(17)}}, "metadata", None),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content", None),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
         "input[0].content[0].type", "unsupported_parameter"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"previous_response_id": UNKNOWN}, "previous_response_id", "previous_response_not_found"),
        ({"extra_headers": {"Antiphon-Disconnect": "maybe"}}, "Antiphon-Disconnect", None),
    ],
)
def a_parameter_that_can_not_be_honoured_is_named(client, parameters, param, code):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{"model": "echo-fast", "input": "Hi.", **parameters})
    assert (refused.value.param, refused.value.code) == (param, code)


def an_input_that_is_too_large_is_a_413(client):
    with pytest.raises(openai.APIStatusError) as refused:
        client.responses.create(model="echo-fast", input="x" * 600_000)
    assert refused.value.status_code == 413


# A provider each: the server soon stops asking one that it can't reach, and says 503.
@pytest.mark.parametrize(("stream", "model"), [(False, "refused"), (True, "refused-too")])
def a_provider_that_can_not_be_reached_is_an_error_and_is_not_tried_again(patient, stream, model):
    client, sent = patient
    with pytest.raises(openai.InternalServerError) as failed:
        client.responses.create(model=model, input="Hi.", stream=stream)
    assert (failed.value.status_code, failed.value.type) == (502, "provider_unreachable")
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert len(sent) == 1


def a_provider_that_breaks_off_fails_the_response_and_keeps_the_text(client):
    events = list(client.responses.create(model="broken", input="Hi.", stream=True))
    last = events[-1]
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert (last.response.error.code, last.response.error.message != "") == ("server_error", True)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text
    read = client.responses.retrieve(last.response.id)
    assert (read.status, read.output_text) == ("failed", text)


def a_provider_that_breaks_off_still_answers_with_what_there_is(client):
    response = client.responses.create(model="broken", input="Hi.")
    assert (response.status, response.error.code) == ("failed", "server_error")
    assert response.output_text
