import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { judge } from '../src/core/retry';
import type { Reply } from '../src/shell/api';
import { type Replay, replay } from '../src/shell/replay';
import { ID, events, stream } from './events';

const ALL = events(['one ', 'two']);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const streamed = (all: readonly Record<string, unknown>[]): Reply => ({
  ok: true,
  response: new Response(stream(all) as Uint8Array<ArrayBuffer>),
});

function refused(status: number, wait: string): Reply {
  const body = JSON.stringify({ error: { message: 'No.', type: 't', code: 'c' } });
  return { ok: false, verdict: judge(status, (name) => (name === 'retry-after' ? wait : null), body, 0) };
}

test('a server that is busy is asked again when it said so, and is called busy', async () => {
  const seen: Replay[] = [];
  const plays = [refused(503, '7'), streamed(ALL)];
  const asked: number[] = [];
  const api = {
    events: async (_: string, after: number) => {
      asked.push(after);
      return plays.shift() ?? Promise.reject(new TypeError('failed to fetch'));
    },
  };
  const replayed = replay(api, ID, (now) => seen.push(now), new AbortController().signal);
  await vi.advanceTimersByTimeAsync(6_900);
  expect([asked, seen.map(({ state }) => state)]).toEqual([[-1], ['busy']]);
  await vi.advanceTimersByTimeAsync(200);
  await replayed;
  expect([asked, seen.at(-1)?.state, seen.at(-1)?.records.length]).toEqual([[-1, -1], 'whole', ALL.length]);
});

test('after a hole nothing more is read, and the rest is asked for', async () => {
  let given = 0;
  const counted = ALL.flatMap((event, index) => (index === 4 ? [] : [event]));
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const event = counted[given];
        given += 1;
        if (event === undefined) controller.close();
        else controller.enqueue(stream([event]));
      },
    },
    { highWaterMark: 0 },
  );
  const plays: Reply[] = [{ ok: true, response: new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>) }];
  const seen: Replay[] = [];
  const api = { events: async (_: string, after: number) => plays.shift() ?? streamed(ALL.slice(after + 1)) };
  const replayed = replay(api, ID, (now) => seen.push(now), new AbortController().signal);
  await vi.advanceTimersByTimeAsync(1_000);
  await replayed;
  // Four events, and the one behind the hole.
  expect(given).toBe(5);
  expect(seen.at(-1)?.records.map(({ number }) => number)).toEqual(ALL.map((_, index) => index));
});
