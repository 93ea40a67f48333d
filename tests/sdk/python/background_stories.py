"""Responses that run without their client: polled, read again from any event on, cancelled."""

import openai
import pytest

BRIEF = "".join(f"word{number} " for number in range(20))


def _dumped(events):
    return [event.model_dump() for event in events]


def _polled(client, response):
    while response.status in ("queued", "in_progress"):
        response = client.responses.retrieve(response.id)
    return response


@pytest.fixture
def endless(client):
    """A response in the background that has said something and has long to go; cancelled at the end."""
    stream = client.responses.create(model="slow", input="Talk.", background=True, stream=True)
    created = next(stream).response
    next(event for event in stream if event.type == "response.output_text.delta")
    yield created.id, stream
    stream.close()
    client.responses.cancel(created.id)


def a_response_in_the_background_is_polled_until_it_has_ended(client):
    made = client.responses.create(model="brief", input="Talk.", background=True)
    assert made.status == "queued"
    assert (made.background, made.completed_at, made.usage) == (True, None, None)
    ended = _polled(client, made)
    assert (ended.id, ended.status, ended.output_text) == (made.id, "completed", BRIEF)
    assert ended.completed_at >= ended.created_at == made.created_at


@pytest.mark.parametrize("seen", [1, 2, 7])
def a_stream_that_was_dropped_goes_on_after_any_event(client, seen):
    stream = client.responses.create(model="brief", input="Talk.", background=True, stream=True)
    first = [next(stream) for _ in range(seen)]
    stream.close()
    response_id = first[0].response.id
    rest = list(client.responses.retrieve(response_id, stream=True, starting_after=first[-1].sequence_number))
    whole = list(client.responses.retrieve(response_id, stream=True))
    assert _dumped(first + rest) == _dumped(whole)
    assert [event.sequence_number for event in whole] == list(range(len(whole)))
    assert whole[0].type == "response.created"
    assert [event.type for event in whole].count("response.created") == 1
    assert (whole[-1].type, whole[-1].response.output_text) == ("response.completed", BRIEF)


def the_stream_helper_starts_and_picks_up_a_response_in_the_background(client):
    with client.responses.stream(model="brief", input="Talk.", background=True) as stream:
        events = [next(stream) for _ in range(5)]
        response_id = events[0].response.id
    with client.responses.stream(response_id=response_id, starting_after=4) as stream:
        numbers = [event.sequence_number for event in stream]
        assert stream.get_final_response().output_text == BRIEF
    assert numbers == list(range(5, numbers[-1] + 1))


def a_response_in_the_background_is_cancelled_once_and_for_all(client, endless):
    response_id, stream = endless
    cancelled = client.responses.cancel(response_id)
    assert cancelled.status == "cancelled"
    assert cancelled.output[-1].status == "incomplete"
    assert client.responses.cancel(response_id).model_dump() == cancelled.model_dump()
    assert client.responses.retrieve(response_id).model_dump() == cancelled.model_dump()
    last = list(stream)[-1]
    assert (last.type, last.response.status) == ("response.failed", "cancelled")


def a_response_in_the_background_outlives_every_reader(client, endless):
    response_id, stream = endless
    stream.close()
    for _ in range(3):
        with client.responses.retrieve(response_id, stream=True) as again:
            assert [next(again).type for _ in range(2)][0] == "response.created"
    assert client.responses.retrieve(response_id).status == "in_progress"


def a_failure_in_the_background_is_a_status_and_no_error(client):
    made = client.responses.create(model="broken", input="Hi.", background=True)
    ended = _polled(client, made)
    assert (ended.status, ended.error.code, ended.completed_at) == ("failed", "server_error", None)
    assert ended.output_text


@pytest.mark.parametrize("stream", [False, True])
def what_runs_in_the_background_must_be_stored(client, stream):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="echo-fast", input="Hi.", background=True, store=False, stream=stream)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "background")
