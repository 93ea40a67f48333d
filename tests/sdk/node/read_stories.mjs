// Reading responses again: by id, from any event on, after the connection was lost, and after a cancel.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HELLO, Reading, client, events, openai, refused, running, streamed } from './harness.mjs';

const { models, responses } = client();
const HI = { model: 'echo-fast', input: 'Hi.' };

/** The stream of a response that is there, after an event if one is given. */
function replay(id, starting_after) {
  return responses.retrieve(id, { stream: true, starting_after });
}

test('a response can be retrieved', async () => {
  const made = await responses.create(HI);
  assert.deepEqual(await responses.retrieve(made.id), made);
});

test('a running response can be retrieved', running(8, {}, async (reading) => {
  const read = await responses.retrieve(reading.id);
  assert.equal(read.status, 'in_progress');
  assert.ok(read.output_text);
}));

test('a finished stream can be read again', async () => {
  const told = await events(responses.create({ ...HI, stream: true }));
  const { id } = told[0].response;
  assert.deepEqual(await events(replay(id)), told);
  assert.deepEqual(await events(replay(id, 2)), told.slice(3));
  assert.deepEqual(await events(replay(id, told.at(-1).sequence_number)), []);
});

test('a lost stream goes on where it was', running(8, {}, async (reading) => {
  reading.close();
  const resumed = new Reading(await replay(reading.id, reading.events.at(-1).sequence_number));
  const more = await resumed.take(5);
  assert.deepEqual(more.map((event) => event.sequence_number), [8, 9, 10, 11, 12]);
  resumed.close();
  await responses.cancel(reading.id);
  const replayed = await events(replay(reading.id));
  assert.deepEqual(replayed.slice(0, 13), [...reading.events, ...more]);
}));

test('a stream ends quietly when its client aborts it', running(6, {}, async (reading) => {
  reading.close();
  // What had arrived already may still come; then it ends, and nothing is thrown.
  assert.equal((await reading.whole()).at(-1).type, 'response.output_text.delta');
  assert.equal((await responses.retrieve(reading.id)).status, 'in_progress');
}));

test('a signal aborts the stream helper', async () => {
  const aborter = new AbortController();
  const stream = responses.stream({ model: 'slow', input: 'Talk.' }, { signal: aborter.signal });
  const begun = new Promise((resolve) => stream.once('response.output_text.delta', resolve));
  const { response } = await new Promise((resolve) => stream.once('response.created', resolve));
  await begun;
  aborter.abort();
  await refused(openai.APIUserAbortError, stream.finalResponse());
  assert.equal((await responses.cancel(response.id)).status, 'cancelled');
});

test('the stream helper reads a response by its id', async () => {
  const made = await responses.create(HI);
  const numbers = async (parameters) => {
    const stream = responses.stream({ response_id: made.id, ...parameters });
    const read = (await events(stream)).map((event) => event.sequence_number);
    assert.equal((await stream.finalResponse()).output_text, HELLO);
    return read;
  };
  const whole = await numbers({});
  assert.deepEqual(whole, [...whole.keys()]);
  assert.deepEqual(await numbers({ starting_after: 3 }), whole.slice(4));
});

test('a cancel in mid-stream ends the stream and keeps the text', running(8, {}, async (reading) => {
  const cancelled = await responses.cancel(reading.id);
  assert.equal(cancelled.status, 'cancelled');
  const last = (await reading.whole()).at(-1);
  assert.deepEqual([last.type, last.response.status], ['response.failed', 'cancelled']);
  const read = await responses.retrieve(cancelled.id);
  assert.deepEqual([read.status, read.output_text], ['cancelled', streamed(reading.events)]);
  assert.equal(read.output.at(-1).status, 'incomplete');
  assert.equal((await responses.cancel(cancelled.id)).status, 'cancelled');
}));

test('a response that has ended can not be cancelled', async () => {
  const made = await responses.create(HI);
  const { message } = await refused(openai.BadRequestError, responses.cancel(made.id));
  assert.match(message, /Cannot cancel a completed response\./);
});

test('a response is deleted once', async () => {
  const made = await responses.create(HI);
  await responses.delete(made.id);
  for (const method of ['retrieve', 'delete', 'cancel']) {
    await refused(openai.NotFoundError, responses[method](made.id));
  }
  await refused(openai.NotFoundError, responses.inputItems.list(made.id));
});

test('a running response can be deleted', running(4, {}, async (reading) => {
  await responses.delete(reading.id);
  await refused(openai.NotFoundError, responses.retrieve(reading.id));
  await refused(openai.NotFoundError, responses.cancel(reading.id));
}));

test('input items are paged newest first', async () => {
  const said = Array.from({ length: 45 }, (_, number) => `Line ${number}.`);
  const made = await responses.create({ ...HI, input: said.map((content) => ({ role: 'user', content })) });
  const items = async (query) => {
    const all = [];
    for await (const item of responses.inputItems.list(made.id, query)) all.push(item);
    return all;
  };
  const texts = (items) => items.map((item) => item.content[0].text);
  assert.deepEqual(texts(await items({})), said.toReversed());
  assert.deepEqual(texts(await items({ order: 'asc', limit: 10 })), said);
  const page = await responses.inputItems.list(made.id, { order: 'asc', limit: 10 });
  assert.deepEqual([page.data.length, page.has_more], [10, true]);
  assert.equal(new Set((await items({ limit: 100 })).map((item) => item.id)).size, 45);
});

test('models are listed', async () => {
  const names = [];
  for await (const model of models.list()) names.push(model.id);
  for (const name of ['echo-fast', 'slow', 'broken', 'refused']) assert.ok(names.includes(name), name);
  assert.equal((await models.retrieve('echo-fast')).id, 'echo-fast');
  await refused(openai.NotFoundError, models.retrieve('none/such'));
});
