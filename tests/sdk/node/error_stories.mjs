// What goes wrong, as the package's own errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UNKNOWN, client, each, events, openai, patient, refused, streamed } from './harness.mjs';

const { responses } = client();
const HI = { model: 'echo-fast', input: 'Hi.' };
const IMAGE = { role: 'user', content: [{ type: 'input_image', image_url: 'x' }] };

test('a bad key is an authentication error', async () => {
  const stranger = client({ apiKey: 'sk-wrong' });
  const asks = [
    () => stranger.models.list(),
    () => stranger.responses.create(HI),
    () => stranger.responses.retrieve(UNKNOWN),
  ];
  for (const ask of asks) {
    const { status, code } = await refused(openai.AuthenticationError, ask());
    assert.deepEqual([status, code], [401, 'invalid_api_key']);
  }
});

each(['retrieve', 'cancel', 'delete'], 'an unknown response is not found', async (method) => {
  for (const id of [UNKNOWN, 'resp_abc']) {
    const { message } = await refused(openai.NotFoundError, responses[method](id));
    assert.match(message, new RegExp(`Response with id '${id}' not found\\.`));
  }
  const { param } = await refused(openai.BadRequestError, responses[method]('chatcmpl-1'));
  assert.equal(param, 'response_id');
});

each([false, true], 'an unknown model is not found, streamed or not', async (stream) => {
  const asked = responses.create({ ...HI, model: 'none', stream });
  const { code, param, requestID } = await refused(openai.NotFoundError, asked);
  assert.deepEqual([code, param], ['model_not_found', 'model']);
  assert.ok(requestID);
});

const seventeen = Object.fromEntries(Array.from({ length: 17 }, (_, number) => [`k${number}`, 'v']));
const unable = [
  [{ temperature: 2.1 }, 'temperature', null],
  [{ top_p: -0.1 }, 'top_p', null],
  [{ max_output_tokens: 15 }, 'max_output_tokens', null],
  [{ max_output_tokens: 1_000_001 }, 'max_output_tokens', null],
  [{ metadata: seventeen }, 'metadata', null],
  [{ input: [{ role: 'user', content: 5 }] }, 'input[0].content', null],
  [{ input: [IMAGE] }, 'input[0].content[0].type', 'unsupported_parameter'],
  [{ conversation: 'conv_1' }, 'conversation', 'unsupported_parameter'],
  [{ previous_response_id: UNKNOWN }, 'previous_response_id', 'previous_response_not_found'],
];

each(unable, 'a parameter that can not be honoured is named', async ([parameters, param, code]) => {
  const error = await refused(openai.BadRequestError, responses.create({ ...HI, ...parameters }));
  assert.deepEqual([error.param, error.code], [param, code]);
});

test('a header that can not be honoured is named', async () => {
  const asked = responses.create(HI, { headers: { 'Antiphon-Disconnect': 'maybe' } });
  const { param } = await refused(openai.BadRequestError, asked);
  assert.equal(param, 'Antiphon-Disconnect');
});

test('an input that is too large is a 413', async () => {
  const { status } = await refused(openai.APIError, responses.create({ ...HI, input: 'x'.repeat(600_000) }));
  assert.equal(status, 413);
});

// A provider each: the server soon stops asking one that it can't reach, and says 503.
const unreachable = [['refused', false], ['refused-too', true]];

each(unreachable, 'a provider that can not be reached is an error and is not tried again', async ([model, stream]) => {
  const { patient: asking, sent } = patient();
  const error = await refused(openai.InternalServerError, asking.responses.create({ model, input: 'Hi.', stream }));
  assert.deepEqual([error.status, error.type], [502, 'provider_unreachable']);
  assert.equal(error.headers.get('x-should-retry'), 'false');
  assert.equal(sent.length, 1);
});

test('a server that can not be reached is tried three times', async () => {
  const { patient: asking, sent } = patient({ baseURL: 'http://127.0.0.1:1/v1' });
  await refused(openai.APIConnectionError, asking.responses.create(HI));
  assert.equal(sent.length, 3);
});

test('a client that does not wait gets a timeout', async () => {
  const hasty = client({ timeout: 50 });
  await refused(openai.APIConnectionTimeoutError, hasty.responses.create({ model: 'brief', input: 'Talk.' }));
});

test('a provider that breaks off fails the response and keeps the text', async () => {
  const told = await events(responses.create({ ...HI, model: 'broken', stream: true }));
  const last = told.at(-1);
  assert.deepEqual([last.type, last.response.status], ['response.failed', 'failed']);
  assert.equal(last.response.error.code, 'server_error');
  assert.ok(last.response.error.message);
  assert.ok(streamed(told));
  const read = await responses.retrieve(last.response.id);
  assert.deepEqual([read.status, read.output_text], ['failed', streamed(told)]);
});

test('the stream helper gives what a provider that broke off has said', async () => {
  const final = await responses.stream({ ...HI, model: 'broken' }).finalResponse();
  assert.deepEqual([final.status, final.error.code], ['failed', 'server_error']);
  assert.ok(final.output[0].content[0].text);
});

test('a provider that breaks off still answers with what there is', async () => {
  const response = await responses.create({ ...HI, model: 'broken' });
  assert.deepEqual([response.status, response.error.code], ['failed', 'server_error']);
  assert.ok(response.output_text);
});
