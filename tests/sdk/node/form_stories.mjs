// The form of the answer: by a schema, with what the model thought, with how sure it was.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HELLO, client, deltas, each, events, openai, refused, z, zodTextFormat } from './harness.mjs';

const { responses } = client();
const Person = z.object({ name: z.string(), age: z.number() });
const WHO = { model: 'writes-json', input: 'Who?' };
const ADA = { name: 'Ada', age: 36 };

test('an answer by a schema is parsed', async () => {
  const response = await responses.parse({ ...WHO, text: { format: zodTextFormat(Person, 'person') } });
  assert.deepEqual(response.output_parsed, ADA);
  const { type, name, strict, schema } = response.text.format;
  assert.deepEqual([type, name, strict], ['json_schema', 'person', true]);
  assert.deepEqual(schema.required, ['name', 'age']);
});

test('the stream helper parses an answer by a schema', async () => {
  const stream = responses.stream({ ...WHO, text: { format: zodTextFormat(Person, 'person') } });
  assert.deepEqual((await stream.finalResponse()).output_parsed, ADA);
});

test('the form of the text is echoed', async () => {
  const text = { format: { type: 'json_object' }, verbosity: 'low' };
  assert.deepEqual((await responses.create({ ...WHO, text })).text, text);
  assert.deepEqual((await responses.create(WHO)).text, { format: { type: 'text' } });
});

test('what the model thought comes first and can be sent back', async () => {
  const reasoning = { effort: 'low', summary: 'auto' };
  const include = ['reasoning.encrypted_content'];
  const response = await responses.create({ model: 'thinks', input: 'Why?', reasoning, include });
  assert.deepEqual(response.reasoning, reasoning);
  const [thought, said] = response.output;
  assert.deepEqual([thought.type, thought.content[0].text], ['reasoning', 'Let me see.']);
  assert.deepEqual([said.type, response.output_text], ['message', 'Because.']);
  const input = [{ role: 'user', content: 'Why?' }, ...response.output, { role: 'user', content: 'Really?' }];
  const again = await responses.create({ model: 'echo-fast', input });
  assert.deepEqual([again.output_text, again.reasoning], [HELLO, null]);
});

test('thoughts are streamed before the answer', async () => {
  const stream = responses.stream({ model: 'thinks', input: 'Why?' });
  const types = (await events(stream)).map((event) => event.type);
  assert.equal((await stream.finalResponse()).output_text, 'Because.');
  const thought = types.indexOf('response.reasoning_text.delta');
  assert.ok(thought > 0 && thought < types.indexOf('response.output_text.delta'));
});

const asked = [{ include: ['message.output_text.logprobs'], top_logprobs: 1 }, { top_logprobs: 1 }];

each(asked, 'the probabilities of tokens are told to who asks', async (wishes) => {
  const tokens = (told) => told.map((token) => token.token);
  const response = await responses.create({ model: 'weighs', input: 'Hi.', ...wishes });
  assert.equal(response.top_logprobs, 1);
  const { logprobs } = response.output[0].content[0];
  assert.deepEqual(logprobs.map((token) => [token.token, token.logprob]), [['Hel', -0.5], ['lo', -0.25]]);
  assert.equal(logprobs[0].top_logprobs[0].token, 'Hel');
  const told = await events(responses.create({ model: 'weighs', input: 'Hi.', stream: true, ...wishes }));
  assert.deepEqual(tokens(deltas(told).flatMap((event) => event.logprobs)), ['Hel', 'lo']);
  const done = told.filter((event) => event.type === 'response.output_text.done');
  assert.deepEqual(done.map((event) => tokens(event.logprobs)), [['Hel', 'lo']]);
});

const unable = [
  [{ text: { format: { type: 'yaml' } } }, 'text.format.type', null],
  [{ text: { format: { type: 'json_schema', name: 'n' } } }, 'text.format.schema', 'missing_required_parameter'],
  [{ text: { verbosity: 'chatty' } }, 'text.verbosity', null],
  [{ reasoning: { effort: 'very hard' } }, 'reasoning.effort', null],
  [{ top_logprobs: 21 }, 'top_logprobs', null],
  [{ include: ['everything'] }, 'include', null],
];

each(unable, 'a form that can not be had is named', async ([parameters, param, code]) => {
  const error = await refused(openai.BadRequestError, responses.create({ model: 'echo-fast', input: 'Hi.', ...parameters }));
  assert.deepEqual([error.param, error.code], [param, code]);
});
