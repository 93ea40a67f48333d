import { expect, test } from 'vitest';
import { type Action, type Conversation, isRunning, mayRun, reduce, requestBody } from '../src/core/conversation';
import { plainText } from '../src/core/item';
import { freeze, thaw } from '../src/core/stored';
import { ID, events } from './events';

const WORDS = ['one ', 'two ', 'three'];
const NO = { status: 403, code: 'c', message: 'no' };
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
  for (const action of [...late, { type: 'removed', key: 'nobody' } as const]) expect(reduce(ended, action)).toBe(ended);
});

test('what changes nothing leaves the list as it is', () => {
  const all = told('a');
  const running = happen([sent('a'), ...all.slice(0, 5)]);
  for (const action of [...all.slice(0, 5), { type: 'unstopped', key: 'a', problem: NO } as const]) {
    expect(reduce(running, action)).toBe(running);
  }
  const asking = happen([sent('a')]);
  expect(reduce(asking, { type: 'asking', key: 'a' })).toBe(asking);
});

test('who stops in vain is told why, until it is tried again or ended', () => {
  const running = happen([sent('a'), ...told('a').slice(0, 5), { type: 'stopping', key: 'a' }]);
  const refused = happen([{ type: 'unstopped', key: 'a', problem: NO }], running);
  expect(refused[0]).toMatchObject({ stopping: false, unstopped: NO, phase: running[0]?.phase });
  expect(happen([{ type: 'stopping', key: 'a' }], refused)).toEqual(running);
  expect(happen(told('a'), refused)[0]).toMatchObject({ unstopped: null, phase: { name: 'ended' } });
});

test('the server may be at work on what it has taken, or may have taken', () => {
  const [asked, known] = [happen([sent('a')]), happen([sent('a'), ...told('a').slice(0, 5)])];
  const waiting = (why: 'lost' | 'busy'): Action => ({ type: 'waiting', key: 'a', why, until: 0 });
  const refused: Action = { type: 'refused', key: 'a', problem: NO };
  const table: [Conversation, Action[], boolean][] = [
    [asked, [], true],
    [asked, [waiting('lost')], true],
    [asked, [waiting('busy')], false],
    [asked, [refused], false],
    [known, [waiting('busy')], true],
    [known, [refused], true],
    [known, told('a'), false],
  ];
  expect(table.map(([from, actions]) => happen(actions, from).some(mayRun))).toEqual(table.map(([, , may]) => may));
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

test('what was refused with an id is read after a reload, and goes on if it still runs', () => {
  const refused: Action = { type: 'refused', key: 'a', problem: NO };
  const known = thaw(freeze(happen([sent('a'), ...told('a').slice(0, 5), refused])));
  expect(known[0]?.phase).toEqual({ name: 'reading' });
  for (const noResponse of [undefined, {}, { id: ID }, { id: ID, status: 'away' }, { status: 'completed' }]) {
    expect(reduce(known, { type: 'read', key: 'a', response: noResponse })).toBe(known);
  }
  const running = reduce(known, { type: 'read', key: 'a', response: events(WORDS)[0]?.response });
  expect([running[0]?.phase.name, running[0]?.answer.last]).toEqual(['asking', 4]);
  expect(happen(told('a'), running)).toEqual(happen([sent('a'), ...told('a')]));
  const unknown = thaw(freeze(happen([sent('a'), refused])));
  expect(unknown[0]?.phase).toEqual({ name: 'refused', problem: NO });
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
