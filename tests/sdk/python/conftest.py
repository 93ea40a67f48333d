"""The real `openai` package against a running server.

`ANTIPHON_BASE_URL` is the server's address with its `/v1`, `ANTIPHON_API_KEY` a key of it. The server offers
these models of scripted providers:

- `echo-fast` answers "Hello from the scripted provider." at once, and `after-tools` the same.
- `slow` writes 200 words about 20 ms apart, `brief` 20 of them.
- `broken` closes the connection after two words; `refused` and `refused-too` are of two providers that can't be
  reached.
- `calls-one` calls the function `weather` for Paris, `calls-two` for Paris and Oslo, `calls-slowly` for Paris
  and then never finishes the arguments of the second call.
- `writes-json` answers with a person as JSON, `thinks` thinks first, `weighs` says how probable its words were.
"""

import os
from contextlib import contextmanager

import openai
import pytest

HELLO = "Hello from the scripted provider."


def setting(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.exit(f"{name} is not set", returncode=2)
    return value


@pytest.fixture(scope="session")
def base_url() -> str:
    return setting("ANTIPHON_BASE_URL")


@pytest.fixture(scope="session")
def api_key() -> str:
    return setting("ANTIPHON_API_KEY")


@pytest.fixture
def client(base_url, api_key):
    """A client that tries everything once."""
    with openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def patient(base_url, api_key):
    """A client that retries as the package does by default, and the list of requests that it sent."""
    sent = []
    http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    with openai.OpenAI(base_url=base_url, api_key=api_key, http_client=http, timeout=30) as client:
        yield client, sent


@pytest.fixture
def running(client):
    """A response of the slow model: its stream, and the events that were read so far.

    It is cancelled at the end, so that no story leaves work behind."""

    @contextmanager
    def start(events: int, **parameters):
        stream = client.responses.create(model="slow", input="Talk.", stream=True, **parameters)
        read = [next(stream) for _ in range(events)]
        try:
            yield stream, read
        finally:
            stream.close()
            try:
                client.responses.cancel(read[0].response.id)
            except openai.BadRequestError:
                pass  # it has ended

    return start
