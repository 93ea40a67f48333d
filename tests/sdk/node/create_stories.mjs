// Making responses: whole, streamed, and in a conversation.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HELLO, client, deltas, events, openai, patient, refused, streamed } from './harness.mjs';

const { responses } = client();
const HI = { model: 'echo-fast', input: 'Hi.' };

test('a response is answered whole', async () => {
  const asked = { ...HI, instructions: 'Be kind.', metadata: { purpose: 'test' }, temperature: 0.5 };
  const response = await responses.create({ ...asked, max_output_tokens: 64 });
  assert.equal(response.output_text, HELLO);
  assert.deepEqual([response.status, response.error, response.object], ['completed', null, 'response']);
  assert.deepEqual(response.metadata, { purpose: 'test' });
  assert.deepEqual([response.instructions, response.temperature, response.max_output_tokens], ['Be kind.', 0.5, 64]);
  assert.ok(response.completed_at >= response.created_at && response.created_at > 0);
  assert.ok(response._request_id);
});

test('a response is streamed in order', async () => {
  const told = await events(responses.create({ ...HI, stream: true }));
  assert.deepEqual(told.map((event) => event.sequence_number), [...told.keys()]);
  const types = told.map((event) => event.type);
  assert.deepEqual(types.slice(0, 2), ['response.created', 'response.in_progress']);
  assert.equal(types.indexOf('response.completed'), types.length - 1);
  assert.equal(streamed(told), HELLO);
  assert.equal(told.at(-1).response.output[0].content[0].text, HELLO);
  const ids = told.filter((event) => event.response).map((event) => event.response.id);
  assert.equal(new Set(ids).size, 1);
});

test('the stream helper gives the final response', async () => {
  const stream = responses.stream(HI);
  const snapshots = [];
  stream.on('response.output_text.delta', (event) => snapshots.push(event.snapshot));
  const final = await stream.finalResponse();
  assert.deepEqual([snapshots.at(-1), final.output_text, final.status], [HELLO, HELLO, 'completed']);
});

test('deltas are padded only when asked', async () => {
  const paddings = async (parameters) => {
    const told = await events(responses.create({ ...HI, stream: true, ...parameters }));
    return deltas(told).map((event) => event.obfuscation);
  };
  assert.deepEqual([...new Set(await paddings({}))], [undefined]);
  assert.ok((await paddings({ stream_options: { include_obfuscation: true } })).every(Boolean));
});

test('output can be sent back as input', async () => {
  const first = await responses.create(HI);
  const more = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Once more.' }] };
  const again = await responses.create({ ...HI, input: [{ role: 'user', content: 'Hi.' }, ...first.output, more] });
  assert.equal(again.output_text, HELLO);
});

test('a conversation goes on from a response', async () => {
  const first = await responses.create({ ...HI, instructions: 'Be brief.' });
  const second = await responses.create({ ...HI, previous_response_id: first.id });
  const third = await responses.create({ ...HI, previous_response_id: second.id });
  assert.deepEqual([third.previous_response_id, third.instructions], [second.id, null]);
  assert.equal(third.output_text, HELLO);
});

test('a response that is not stored can not be read', async () => {
  const response = await responses.create({ ...HI, store: false });
  assert.deepEqual([response.output_text, response.store], [HELLO, false]);
  await refused(openai.NotFoundError, responses.retrieve(response.id));
  const on = responses.create({ ...HI, previous_response_id: response.id });
  const { code, param } = await refused(openai.BadRequestError, on);
  assert.deepEqual([code, param], ['previous_response_not_found', 'previous_response_id']);
});

test('a request whose answer was lost is not run again', async () => {
  // The model takes longer than the client waits for the first answer: the package sends the request again.
  const { patient: hasty, sent } = patient({ timeout: 250, maxRetries: 20 });
  const headers = { 'Idempotency-Key': 'a-lost-answer' };
  const ask = () => hasty.responses.create({ model: 'brief', input: 'Talk.' }, { headers });
  const response = await ask();
  assert.ok(sent.length > 1);
  assert.deepEqual([response.status, response.output[0].status], ['completed', 'completed']);
  assert.deepEqual(await ask(), response);
});

test('a key that was used for another request is a conflict that is not retried', async () => {
  const { patient: twice, sent } = patient();
  const headers = { 'Idempotency-Key': 'two-requests' };
  await twice.responses.create(HI, { headers });
  const other = twice.responses.create({ ...HI, input: 'Hello.' }, { headers });
  const { code } = await refused(openai.ConflictError, other);
  assert.deepEqual([code, sent.length], ['idempotency_key_reused', 2]);
});
