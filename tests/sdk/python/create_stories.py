"""Making responses: whole, streamed, and in a conversation."""

import asyncio

import openai
import pytest

from conftest import HELLO


def a_response_is_answered_whole(client):
    response = client.responses.create(
        model="echo-fast",
        input="Hi.",
        instructions="Be kind.",
        metadata={"purpose": "test"},
        temperature=0.5,
        max_output_tokens=64,
    )
    assert response.output_text == HELLO
    assert (response.status, response.error, response.object) == ("completed", None, "response")
    assert response.metadata == {"purpose": "test"}
    assert (response.instructions, response.temperature, response.max_output_tokens) == ("Be kind.", 0.5, 64)
    assert response.completed_at >= response.created_at > 0
    assert response._request_id


def a_response_is_streamed_in_order(client):
    events = list(client.responses.create(model="echo-fast", input="Hi.", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    types = [event.type for event in events]
    assert types[:2] == ["response.created", "response.in_progress"]
    assert types[-1] == "response.completed"
    assert types.count("response.completed") == 1
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == HELLO == events[-1].response.output_text
    assert len({event.response.id for event in events if hasattr(event, "response")}) == 1


def the_stream_helper_gives_the_final_response(client):
    with client.responses.stream(model="echo-fast", input="Hi.") as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots[-1] == HELLO == final.output_text


def the_asynchronous_client_streams_as_well(base_url, api_key):
    async def story():
        async with openai.AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=30) as client:
            async with client.responses.stream(model="echo-fast", input="Hi.") as stream:
                async for _ in stream:
                    pass
                return await stream.get_final_response()

    assert asyncio.run(story()).output_text == HELLO


def deltas_are_padded_only_when_asked(client):
    def paddings(**parameters):
        stream = client.responses.create(model="echo-fast", input="Hi.", stream=True, **parameters)
        deltas = [event for event in stream if event.type == "response.output_text.delta"]
        return [(event.model_extra or {}).get("obfuscation") for event in deltas]

    assert set(paddings()) == {None}
    assert all(paddings(stream_options={"include_obfuscation": True}))


def output_can_be_sent_back_as_input(client):
    first = client.responses.create(model="echo-fast", input="Hi.")
    again = client.responses.create(
        model="echo-fast",
        input=[
            {"role": "user", "content": "Hi."},
            *first.output,
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Once more."}]},
        ],
    )
    assert again.output_text == HELLO


def a_conversation_goes_on_from_a_response(client):
    first = client.responses.create(model="echo-fast", input="One.", instructions="Be brief.")
    second = client.responses.create(model="echo-fast", input="Two.", previous_response_id=first.id)
    third = client.responses.create(model="echo-fast", input="Three.", previous_response_id=second.id)
    assert (third.previous_response_id, third.instructions) == (second.id, None)
    assert third.output_text == HELLO


def a_response_that_is_not_stored_can_not_be_read(client):
    response = client.responses.create(model="echo-fast", input="Hi.", store=False)
    assert (response.output_text, response.store) == (HELLO, False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="echo-fast", input="On.", previous_response_id=response.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


def a_request_whose_answer_was_lost_is_not_run_again(base_url, api_key):
    sent = []
    http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    # The model takes longer than the client waits for the first answer: the package sends the request again.
    hasty = {"base_url": base_url, "api_key": api_key, "http_client": http, "timeout": 0.25, "max_retries": 20}
    request = {"model": "brief", "input": "Talk.", "extra_headers": {"Idempotency-Key": "a-lost-answer"}}
    with openai.OpenAI(**hasty) as client:
        response = client.responses.create(**request)
        assert len(sent) > 1
        assert (response.status, response.output[0].status) == ("completed", "completed")
        assert client.responses.create(**request).model_dump() == response.model_dump()


def a_key_that_was_used_for_another_request_is_a_conflict_that_is_not_retried(patient):
    client, sent = patient
    headers = {"Idempotency-Key": "two-requests"}
    client.responses.create(model="echo-fast", input="Hi.", extra_headers=headers)
    with pytest.raises(openai.ConflictError) as refused:
        client.responses.create(model="echo-fast", input="Hello.", extra_headers=headers)
    assert (refused.value.code, len(sent)) == ("idempotency_key_reused", 2)
