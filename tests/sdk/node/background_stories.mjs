// Responses that run without their client: polled, read again from any event on, cancelled.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BRIEF, Reading, client, each, events, openai, refused, running } from './harness.mjs';

const { responses } = client();
const TALK = { model: 'brief', input: 'Talk.', background: true };

async function polled(response) {
  while (['queued', 'in_progress'].includes(response.status)) response = await responses.retrieve(response.id);
  return response;
}

test('a response in the background is polled until it has ended', async () => {
  const made = await responses.create(TALK);
  assert.equal(made.status, 'queued');
  assert.deepEqual([made.background, made.completed_at, made.usage], [true, null, null]);
  const ended = await polled(made);
  assert.deepEqual([ended.id, ended.status, ended.output_text], [made.id, 'completed', BRIEF]);
  assert.ok(ended.completed_at >= ended.created_at && ended.created_at === made.created_at);
});

each([1, 2, 7], 'a stream that was dropped goes on after any event', async (seen) => {
  const first = new Reading(await responses.create({ ...TALK, stream: true }));
  await first.take(seen);
  first.close();
  const starting_after = first.events.at(-1).sequence_number;
  const rest = await events(responses.retrieve(first.id, { stream: true, starting_after }));
  const whole = await events(responses.retrieve(first.id, { stream: true }));
  assert.deepEqual([...first.events, ...rest], whole);
  assert.deepEqual(whole.map((event) => event.sequence_number), [...whole.keys()]);
  assert.deepEqual(whole.filter((event) => event.type === 'response.created'), [whole[0]]);
  const last = whole.at(-1);
  assert.deepEqual([last.type, last.response.output[0].content[0].text], ['response.completed', BRIEF]);
});

test('the stream helper starts and picks up a response in the background', async () => {
  const first = new Reading(responses.stream(TALK));
  await first.take(5);
  first.close();
  const stream = responses.stream({ response_id: first.id, starting_after: 4 });
  const numbers = (await events(stream)).map((event) => event.sequence_number);
  assert.equal((await stream.finalResponse()).output_text, BRIEF);
  assert.deepEqual(numbers, Array.from(numbers, (_, place) => place + 5));
});

test('a response in the background is cancelled once and for all', running(8, { background: true }, async (reading) => {
  const cancelled = await responses.cancel(reading.id);
  assert.deepEqual([cancelled.status, cancelled.output.at(-1).status], ['cancelled', 'incomplete']);
  // The object is the same for ever. `output_text` is the package's own, and not there for what a cancel answers.
  const { output_text: _, ...read } = await responses.retrieve(reading.id);
  const { output_text: __, ...again } = await responses.cancel(reading.id);
  assert.deepEqual([read, again], [read, read]);
  assert.deepEqual([read.status, read.output], ['cancelled', cancelled.output]);
  const last = (await reading.whole()).at(-1);
  assert.deepEqual([last.type, last.response.status], ['response.failed', 'cancelled']);
}));

test('a response in the background outlives every reader', running(8, { background: true }, async (reading) => {
  reading.close();
  for (let reader = 0; reader < 3; reader += 1) {
    const again = new Reading(await responses.retrieve(reading.id, { stream: true }));
    assert.equal((await again.take(2))[0].type, 'response.created');
    again.close();
  }
  assert.equal((await responses.retrieve(reading.id)).status, 'in_progress');
}));

test('a failure in the background is a status and no error', async () => {
  const ended = await polled(await responses.create({ ...TALK, model: 'broken' }));
  assert.deepEqual([ended.status, ended.error.code, ended.completed_at], ['failed', 'server_error', null]);
  assert.ok(ended.output_text);
});

each([false, true], 'what runs in the background must be stored, streamed or not', async (stream) => {
  const asked = responses.create({ ...TALK, store: false, stream });
  const { code, param } = await refused(openai.BadRequestError, asked);
  assert.deepEqual([code, param], ['unsupported_parameter', 'background']);
});
