// Functions that the client runs: called, answered, forced, forbidden, and what can't be offered.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HELLO, Reading, client, each, events, openai, refused, z, zodResponsesFunction } from './harness.mjs';

const { responses } = client();
const WEATHER = {
  type: 'function',
  name: 'weather',
  description: 'Tells the weather of a city.',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
  strict: true,
};
const QUESTION = { role: 'user', content: 'What is the weather?' };
const ASKED = { input: [QUESTION], tools: [WEATHER] };
const TOLD = { model: 'after-tools', tools: [WEATHER] };

function answer(call, output) {
  return { type: 'function_call_output', call_id: call.call_id, output };
}

test('a function is called and its answer goes back by id', async () => {
  const asked = await responses.create({ model: 'calls-one', ...ASKED });
  const [call, ...others] = asked.output;
  assert.deepEqual([call.type, call.name, call.status], ['function_call', 'weather', 'completed']);
  assert.deepEqual([JSON.parse(call.arguments), others], [{ city: 'Paris' }, []]);
  assert.deepEqual([asked.status, asked.tools[0].name, asked.tool_choice], ['completed', 'weather', 'auto']);
  const told = await responses.create({ ...TOLD, previous_response_id: asked.id, input: [answer(call, 'sun')] });
  assert.equal(told.output_text, HELLO);
});

test('two calls are answered in reverse order', async () => {
  const asked = await responses.create({ model: 'calls-two', ...ASKED });
  assert.deepEqual(asked.output.map((call) => JSON.parse(call.arguments).city), ['Paris', 'Oslo']);
  const [paris, oslo] = asked.output;
  const answers = [answer(oslo, 'rain'), answer(paris, [{ type: 'input_text', text: 'sun' }])];
  const byId = await responses.create({ ...TOLD, previous_response_id: asked.id, input: answers });
  const echoed = await responses.create({ ...TOLD, input: [QUESTION, ...asked.output, ...answers] });
  assert.deepEqual([byId.output_text, echoed.output_text], [HELLO, HELLO]);
});

test('the stream helper collects the arguments', async () => {
  const stream = responses.stream({ model: 'calls-two', ...ASKED });
  const told = await events(stream);
  const final = await stream.finalResponse();
  assert.equal(final.output.length, 2);
  for (const call of final.output) {
    const own = told.filter((event) => event.item_id === call.id);
    const pieces = own.filter((event) => event.type === 'response.function_call_arguments.delta');
    assert.ok(pieces.length > 1);
    assert.equal(pieces.map((event) => event.delta).join(''), call.arguments);
    const done = own.find((event) => event.type === 'response.function_call_arguments.done');
    assert.deepEqual([done.name, done.arguments], [call.name, call.arguments]);
  }
  const answers = final.output.map((call) => answer(call, 'sun'));
  const again = await responses.create({ ...TOLD, input: [QUESTION, ...final.output, ...answers] });
  assert.equal(again.output_text, HELLO);
});

test('a function can be a zod schema', async () => {
  const weather = zodResponsesFunction({ name: 'weather', parameters: z.object({ city: z.string() }) });
  const { output } = await responses.parse({ model: 'calls-one', input: [QUESTION], tools: [weather] });
  assert.deepEqual(output[0].parsed_arguments, { city: 'Paris' });
});

const choices = [
  'auto',
  'required',
  { type: 'function', name: 'weather' },
  { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'weather' }] },
];

each(choices, 'what may be called is honoured and echoed', async (tool_choice) => {
  const wishes = { tool_choice, parallel_tool_calls: false, max_tool_calls: 2 };
  const response = await responses.create({ model: 'calls-one', ...ASKED, ...wishes });
  const { tool_choice: told, parallel_tool_calls, max_tool_calls } = response;
  assert.deepEqual({ tool_choice: told, parallel_tool_calls, max_tool_calls }, wishes);
  assert.equal(response.output[0].name, 'weather');
});

test('whole calls need an answer, and answers a call', async () => {
  const asked = await responses.create({ model: 'calls-two', ...ASKED });
  const unanswered = /No tool output found for function call/;
  const wrong = [
    [{ input: 'Never mind.', previous_response_id: asked.id }, unanswered],
    [{ input: [QUESTION, ...asked.output] }, unanswered],
    [{ input: [answer(asked.output[0], 'sun')] }, /No tool call found for function call output/],
  ];
  for (const [keys, message] of wrong) {
    const error = await refused(openai.BadRequestError, responses.create({ model: 'after-tools', ...keys }));
    assert.match(error.message, message);
    assert.equal(error.param, 'input');
  }
});

test('what a cancelled response said can be sent back', async () => {
  const reading = new Reading(await responses.create({ model: 'calls-slowly', ...ASKED, stream: true }));
  await reading.until('response.function_call_arguments.delta');
  const cancelled = await responses.cancel(reading.id);
  await reading.whole();
  assert.equal(cancelled.output.at(-1).status, 'incomplete');
  const input = [QUESTION, ...cancelled.output, { role: 'user', content: 'Go on.' }];
  assert.equal((await responses.create({ ...TOLD, input })).output_text, HELLO);
});

const unable = [
  [{ tools: [{ type: 'web_search' }] }, 'tools[0].type', 'unsupported_parameter'],
  [{ tools: [{ type: 'teleport' }] }, 'tools[0].type', null],
  [{ tools: [{ type: 'function', function: { name: 'f' } }] }, 'tools[0].name', 'missing_required_parameter'],
  [{ tools: [WEATHER, WEATHER] }, 'tools[1].name', null],
  [{ tool_choice: 'required' }, 'tool_choice', null],
  [{ tools: [WEATHER], tool_choice: { type: 'function', name: 'f' } }, 'tool_choice.name', null],
  [{ tools: [WEATHER], tool_choice: { type: 'file_search' } }, 'tool_choice.type', 'unsupported_parameter'],
  [{ max_tool_calls: 0 }, 'max_tool_calls', null],
];

each(unable, 'a tool that can not be offered is named', async ([parameters, param, code]) => {
  const asked = responses.create({ model: 'echo-fast', input: 'Hi.', ...parameters });
  const error = await refused(openai.BadRequestError, asked);
  assert.deepEqual([error.param, error.code], [param, code]);
});
