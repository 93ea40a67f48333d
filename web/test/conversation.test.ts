import { expect, test } from 'vitest';
import { type Action, type Conversation, isRunning, reduce, requestBody } from '../src/core/conversation';
import { plainText } from '../src/core/item';
import { freeze, thaw } from '../src/core/stored';
import { ID, events } from './events';

const WORDS = ['one ', 'two ', 'three'];
const happen = (actions: readonly Action[], from: Conversation = []) => actions.reduce(reduce, from);
const sent = (key: string): Action => ({ type: 'sent', key, model: 'm', input: `input of ${key}` });
const told = (key: string, all = events(WORDS)) => all.map((event): Action => ({ type: 'event', key, event }));

test('a turn goes on from the last response that there is', () => {
  const problem = { status: 400, code: 'c', message: 'no' };
  const refused: Action = { type: 'refused', key: 'b', problem };
  const turns = happen([sent('a'), ...told('a'), sent('b'), refused, sent('c')]);
  expect(turns.map((turn) => turn.previous)).toEqual([null, ID, ID]);
  expect(turns.map((turn) => turn.phase.name)).toEqual(['ended', 'refused', 'asking']);
  expect(turns.filter(isRunning).map((turn) => turn.key)).toEqual(['c']);
});

test('nothing happens to a turn that has ended, or that is not there', () => {
  const ended = happen([sent('a'), ...told('a')]);
  const late: Action[] = [
    { type: 'asking', key: 'a' },
    { type: 'opened', key: 'a' },
    { type: 'waiting', key: 'a', why: 'lost', until: 0 },
    { type: 'refused', key: 'a', problem: { status: 0, code: '', message: '' } },
    { type: 'stopping', key: 'a' },
    { type: 'read', key: 'a', response: {} },
    ...told('a', events(['other'])),
    { type: 'opened', key: 'nobody' },
  ];
  expect(happen(late, ended)).toEqual(ended);
});

test('who stops sees it until the response has ended, however that is', () => {
  const stopping = happen([sent('a'), ...told('a').slice(0, 5), { type: 'stopping', key: 'a' }]);
  expect(stopping[0]?.stopping).toBe(true);
  for (const ending of ['cancelled', 'completed']) {
    const [turn] = happen(told('a', events(WORDS, ending)), stopping);
    expect([turn?.stopping, turn?.answer.status, turn?.phase.name]).toEqual([false, ending, 'ended']);
  }
});

test('the body of a request is the same however often it is made', () => {
  const first = happen([sent('a')])[0];
  const later = thaw(freeze(happen([sent('a'), ...told('a').slice(0, 3), { type: 'asking', key: 'a' }])))[0];
  if (first === undefined || later === undefined) throw new Error('no turn');
  expect(requestBody(later)).toBe(requestBody(first));
  expect(JSON.parse(requestBody(first))).toEqual({
    model: 'm',
    input: 'input of a',
    previous_response_id: null,
    stream: true,
  });
});

test('what is kept over a reload goes on at the same event, wherever it was cut', () => {
  const all = told('a');
  for (let seen = 0; seen < all.length; seen += 1) {
    const kept = thaw(freeze(happen([sent('a'), ...all.slice(0, seen)])));
    expect(kept[0]?.phase.name).toBe('asking');
    expect(kept[0]?.answer.last).toBe(seen - 1);
    expect(happen(all.slice(seen), kept)).toEqual(happen([sent('a'), ...all]));
  }
});

test('of what has ended only the id is kept, and it is read again', () => {
  const kept = freeze(happen([sent('a'), ...told('a')]));
  expect(kept).not.toContain('three');
  const [turn] = thaw(kept);
  expect([turn?.answer.id, turn?.phase.name, turn?.answer.last]).toEqual([ID, 'reading', -1]);
  const response = events(WORDS).at(-1)?.response;
  const [read] = happen([{ type: 'read', key: 'a', response }], thaw(kept));
  expect([read?.phase.name, plainText(read?.answer.items ?? [])]).toEqual(['ended', 'one two three']);
});

test('where there is no room for texts, running answers are read from their beginning', () => {
  const running = happen([sent('a'), ...told('a').slice(0, 7)]);
  const [turn] = thaw(freeze(running, true));
  expect([turn?.answer.id, turn?.answer.last, turn?.answer.items]).toEqual([ID, -1, []]);
  expect(happen(told('a'), thaw(freeze(running, true)))).toEqual(happen(told('a'), running));
});

test('what is no conversation is none', () => {
  for (const kept of [null, '', '{', '5', '{}', '[]', '[1]', '[{"key":"a"}]', '[{"key":"a","model":"m","input":"i"}]']) {
    expect(thaw(kept)).toEqual([]);
  }
});
