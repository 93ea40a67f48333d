"""Reading responses again: by id, from any event on, after the connection was lost, and after a cancel."""

import openai
import pytest

from conftest import HELLO


def _dumped(events):
    return [event.model_dump() for event in events]


def a_response_can_be_retrieved(client):
    made = client.responses.create(model="echo-fast", input="Hi.")
    read = client.responses.retrieve(made.id)
    assert read.model_dump() == made.model_dump()


def a_running_response_can_be_retrieved(client, running):
    with running(events=8) as (_, events):
        read = client.responses.retrieve(events[0].response.id)
        assert read.status == "in_progress"
        assert read.output_text


def a_finished_stream_can_be_read_again(client):
    events = list(client.responses.create(model="echo-fast", input="Hi.", stream=True))
    response_id = events[0].response.id
    assert _dumped(client.responses.retrieve(response_id, stream=True)) == _dumped(events)
    rest = client.responses.retrieve(response_id, stream=True, starting_after=2)
    assert _dumped(rest) == _dumped(events[3:])
    last = events[-1].sequence_number
    assert list(client.responses.retrieve(response_id, stream=True, starting_after=last)) == []


def a_lost_stream_goes_on_where_it_was(client, running):
    with running(events=8) as (stream, events):
        response_id = events[0].response.id
        stream.close()
        resumed = client.responses.retrieve(response_id, stream=True, starting_after=events[-1].sequence_number)
        more = [next(resumed) for _ in range(5)]
        assert [event.sequence_number for event in more] == [8, 9, 10, 11, 12]
        resumed.close()
        client.responses.cancel(response_id)
        replayed = list(client.responses.retrieve(response_id, stream=True))
        assert _dumped(replayed[:13]) == _dumped(events + more)


def the_stream_helper_reads_a_response_by_its_id(client):
    made = client.responses.create(model="echo-fast", input="Hi.")
    with client.responses.stream(response_id=made.id) as stream:
        numbers = [event.sequence_number for event in stream]
        assert stream.get_final_response().output_text == HELLO
    assert numbers == list(range(len(numbers)))
    with client.responses.stream(response_id=made.id, starting_after=3) as stream:
        later = [event.sequence_number for event in stream]
        assert stream.get_final_response().output_text == HELLO
    assert later == numbers[4:]


def a_cancel_in_mid_stream_ends_the_stream_and_keeps_the_text(client, running):
    with running(events=8) as (stream, events):
        cancelled = client.responses.cancel(events[0].response.id)
        events += list(stream)
    assert cancelled.status == "cancelled"
    last = events[-1]
    assert (last.type, last.response.status) == ("response.failed", "cancelled")
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    read = client.responses.retrieve(cancelled.id)
    assert (read.status, read.output_text) == ("cancelled", text)
    assert read.output[-1].status == "incomplete"
    assert client.responses.cancel(cancelled.id).model_dump() == cancelled.model_dump() == read.model_dump()


def a_response_that_has_ended_can_not_be_cancelled(client):
    made = client.responses.create(model="echo-fast", input="Hi.")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a completed response."):
        client.responses.cancel(made.id)


def a_response_is_deleted_once(client):
    made = client.responses.create(model="echo-fast", input="Hi.")
    assert client.responses.delete(made.id) is None
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            gone(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.input_items.list(made.id)


def a_running_response_can_be_deleted(client, running):
    with running(events=4) as (_, events):
        response_id = events[0].response.id
        client.responses.delete(response_id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response_id)
        with pytest.raises(openai.NotFoundError):
            client.responses.cancel(response_id)
        events[0].response.id = client.responses.create(model="echo-fast", input="Hi.").id


def input_items_are_paged_newest_first(client):
    said = [f"Line {number}." for number in range(45)]
    made = client.responses.create(
        model="echo-fast", input=[{"role": "user", "content": text} for text in said]
    )
    texts = [item.content[0].text for item in client.responses.input_items.list(made.id)]
    assert texts == said[::-1]
    oldest_first = client.responses.input_items.list(made.id, order="asc", limit=10)
    assert (len(oldest_first.data), oldest_first.has_more) == (10, True)
    assert [item.content[0].text for item in oldest_first] == said
    assert len({item.id for item in client.responses.input_items.list(made.id, limit=100)}) == 45


def models_are_listed(client):
    names = {model.id for model in client.models.list()}
    assert {"echo-fast", "slow", "broken", "refused"} <= names
    assert client.models.retrieve("echo-fast").id == "echo-fast"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none/such")
