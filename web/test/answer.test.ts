import { expect, test } from 'vitest';
import { type Answer, UNKNOWN, fold, hasEnded, ofResponse, place } from '../src/core/answer';
import { plainText } from '../src/core/item';
import { ending } from '../src/core/ending';
import { ID, events, message } from './events';

const WORDS = ['Hello', ', ', 'world', '!'];

const folded = (all: readonly Record<string, unknown>[], from: Answer = UNKNOWN) => all.reduce(fold, from);

test('the fold of a stream is what the Response object says', () => {
  const all = events(WORDS);
  const answer = folded(all);
  expect(answer).toEqual(ofResponse(all.at(-1)?.response, all.length - 1));
  expect(answer).toMatchObject({ id: ID, status: 'completed', usage: { input: 3, output: 5, reasoning: 2 } });
  expect(plainText(answer.items)).toBe('Hello, world!');
});

test('at each event before the end the text is what came so far', () => {
  const all = events(WORDS);
  for (let count = 4; count <= 8; count += 1) {
    const answer = folded(all.slice(0, count));
    expect(plainText(answer.items)).toBe(WORDS.slice(0, count - 4).join(''));
    expect(hasEnded(answer)).toBe(false);
  }
});

test('events that come again change nothing, wherever a replay begins', () => {
  const all = events(WORDS);
  for (let seen = 0; seen <= all.length; seen += 1) {
    for (let from = 0; from <= seen; from += 1) {
      expect(folded(all.slice(from), folded(all.slice(0, seen)))).toEqual(folded(all));
    }
  }
});

test('an event after a hole is not folded', () => {
  const all = events(WORDS);
  const answer = folded(all.slice(0, 5));
  expect(place(answer, all[6] ?? {})).toBe('hole');
  expect(folded(all.slice(6), answer)).toEqual(answer);
  expect(place(answer, all[5] ?? {})).toBe('next');
});

test('events of no known type, and JSON of any shape, only count', () => {
  for (const event of [{ type: 'response.dreamt' }, { type: 5 }, { output_index: 9, type: 'response.output_text.delta' }]) {
    expect(fold(UNKNOWN, { ...event, sequence_number: 0 })).toEqual({ ...UNKNOWN, last: 0 });
  }
  for (const event of [{}, { sequence_number: '0' }, { sequence_number: -1 }, { sequence_number: 0.5 }]) {
    expect(fold(UNKNOWN, event)).toBe(UNKNOWN);
  }
});

test('refusals, reasoning and function calls are folded each in its own way', () => {
  const at = (index: number) => ({ output_index: index, content_index: 0, summary_index: 0 });
  const added = (index: number, item: object) => ({ type: 'response.output_item.added', output_index: index, item });
  const told = [
    added(0, { type: 'reasoning', summary: [] }),
    { type: 'response.reasoning_summary_part.added', ...at(0) },
    { type: 'response.reasoning_summary_text.delta', ...at(0), delta: 'In short' },
    { type: 'response.reasoning_text.delta', ...at(0), delta: 'Let me ' },
    { type: 'response.reasoning_text.delta', ...at(0), delta: 'see' },
    added(1, { type: 'message', content: [] }),
    { type: 'response.content_part.added', ...at(1), part: { type: 'refusal', refusal: '' } },
    { type: 'response.refusal.delta', ...at(1), delta: 'I ' },
    { type: 'response.refusal.done', ...at(1), refusal: 'I can’t.' },
    added(2, { type: 'function_call', name: 'weather', arguments: '' }),
    { type: 'response.function_call_arguments.delta', ...at(2), delta: '{"city":' },
    { type: 'response.function_call_arguments.done', ...at(2), arguments: '{"city":"Oslo"}' },
    added(3, { type: 'web_search_call' }),
  ];
  const answer = folded(told.map((event, sequence_number) => ({ ...event, sequence_number })));
  expect(answer.items).toEqual([
    { type: 'reasoning', summary: ['In short'], content: ['Let me see'] },
    { type: 'message', parts: [{ kind: 'refusal', text: 'I can’t.' }] },
    { type: 'function_call', name: 'weather', arguments: '{"city":"Oslo"}' },
    { type: 'other', name: 'web_search_call' },
  ]);
});

test('each ending is told as it is', () => {
  const end = (status: string, more: object = {}) => ending(folded(events(WORDS, status, more)));
  expect(ending(folded(events(WORDS).slice(0, 6)))).toBeNull();
  expect(end('completed')).toMatchObject({ tone: 'good', word: 'Completed' });
  expect(end('cancelled')).toMatchObject({ tone: 'cut', word: 'Stopped' });
  const limit = { incomplete_details: { reason: 'max_output_tokens' } };
  expect(end('incomplete', limit)).toMatchObject({ tone: 'cut', detail: 'It reached its limit of output.' });
  const unheard = { incomplete_details: { reason: 'boredom' } };
  expect(end('incomplete', unheard)?.detail).toContain('boredom');
  const error = { error: { code: 'server_error', message: 'The provider closed.' } };
  expect(end('failed', error)).toMatchObject({ tone: 'bad', detail: 'The provider closed.' });
});

test('a message of several parts and items is one text', () => {
  const output = [message('One.'), { type: 'reasoning', summary: [] }, message('Two.')];
  expect(plainText(ofResponse({ id: ID, status: 'completed', output }, 0).items)).toBe('One.\n\nTwo.');
});
