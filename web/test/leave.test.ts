import { expect, test } from 'vitest';
import { type Turn, reduce } from '../src/core/conversation';
import { judge } from '../src/core/retry';
import type { Reply } from '../src/shell/api';
import { leave } from '../src/shell/leave';
import { ID, events, stream } from './events';

const ALL = events(['one ', 'two']);
const OK: Reply = { ok: true, response: Response.json({}) };

function turn(seen: number): Turn {
  const told = ALL.slice(0, seen).map((event) => ({ type: 'event', key: 'k', event }) as const);
  const [turn] = told.reduce(reduce, reduce([], { type: 'sent', key: 'k', model: 'm', input: 'i' }));
  if (turn === undefined) throw new Error('no turn');
  return turn;
}

const streamed = (count: number) => (): Reply => ({
  ok: true,
  response: new Response(stream(ALL.slice(0, count)) as Uint8Array<ArrayBuffer>),
});

const refusal = (status: number, wait: string | null) => (): Reply => ({
  ok: false,
  verdict: judge(status, (name) => (name === 'retry-after' ? wait : null), '{"error":{"message":"No."}}', 0),
});

const gone = (): Reply => {
  throw new TypeError('failed to fetch');
};

/** What is asked of a server that answers by these, the last of them for ever, and how long is waited between. */
async function left(turn: Turn, ...plays: (() => Reply)[]): Promise<{ asked: string[]; waits: number[] }> {
  const [asked, waits]: [string[], number[]] = [[], []];
  const next = async (what: string): Promise<Reply> => {
    asked.push(what);
    return ((plays.length > 1 ? plays.shift() : plays[0]) ?? gone)();
  };
  await leave(turn, {
    api: { create: ({ key }) => next(`create ${key}`), cancel: (id) => next(`cancel ${id}`) },
    pause: async (ms) => void waits.push(ms),
    random: () => 1,
  });
  return { asked, waits };
}

test('a turn without an id is asked for until it has one, and then cancelled until the server has heard it', async () => {
  const { asked, waits } = await left(
    turn(0),
    gone,
    streamed(0),
    refusal(503, '4'),
    streamed(1),
    gone,
    refusal(429, '2'),
    () => OK,
  );
  expect(asked).toEqual([...Array(4).fill('create k'), ...Array(3).fill(`cancel ${ID}`)]);
  expect(waits).toEqual([300, 600, 4000, 2400, 2000]);
});

test('a turn with an id is only cancelled, and one that ended or was never taken is left', async () => {
  expect((await left(turn(3), () => OK)).asked).toEqual([`cancel ${ID}`]);
  expect((await left(turn(3), refusal(400, null))).asked).toEqual([`cancel ${ID}`]);
  expect((await left(turn(0), refusal(401, null))).asked).toEqual(['create k']);
});

test('a server that is gone for good is given up in the end', async () => {
  const { asked, waits } = await left(turn(0), gone);
  expect(asked.length).toBe(40);
  expect(waits.reduce((sum, wait) => sum + wait)).toBeLessThan(10 * 60_000);
});
