import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ID, events, stream } from './events';

const ALL = events(['one ', 'two']);
type Play = (method: string, path: string) => Response;

let play: Play;
let asked: string[];

/** The session of a page of its own, signed in to a server that answers by `play`. */
async function page() {
  const session = await import('../src/shell/session');
  expect(await session.signIn('ak')).toBe(true);
  asked = [];
  return session;
}

const busy = () => Response.json({ error: { message: 'No.' } }, { status: 429, headers: { 'retry-after': '5' } });
const made = () => asked.filter((line) => line === 'POST v1/responses').length;

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  const target = new EventTarget();
  vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    if (init.signal?.aborted) throw new DOMException('aborted', 'AbortError');
    const method = init.method ?? 'GET';
    asked.push(`${method} ${path}`);
    return path === 'v1/models' ? Response.json({ data: [{ id: 'm' }] }) : play(method, path);
  });
  asked = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a turn that was stopped while the server was busy and is tried again is asked for by one alone', async () => {
  play = busy;
  const { send, stop, again, turns } = await page();
  send('Hello?');
  await vi.advanceTimersByTimeAsync(1_000);
  stop();
  expect(turns.value[0]?.phase.name).toBe('refused');
  again(turns.value[0]?.key ?? '');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(made()).toBe(2);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(made()).toBe(3);
});

test('who leaves before the response has an id has it stopped all the same', async () => {
  for (const leave of ['newConversation', 'signOut'] as const) {
    vi.resetModules();
    let reachable = false;
    play = (_, path) => {
      if (!reachable) throw new TypeError('failed to fetch');
      return path.endsWith('/cancel') ? Response.json({}) : new Response(stream(ALL.slice(0, 1)) as Uint8Array<ArrayBuffer>);
    };
    const session = await page();
    session.send('Hello?');
    session.inspected.value = 'resp_0';
    await vi.advanceTimersByTimeAsync(1_000);
    session[leave]();
    expect([session.turns.value, session.inspected.value]).toEqual([[], null]);
    reachable = true;
    asked = [];
    await vi.advanceTimersByTimeAsync(30_000);
    expect(asked, leave).toEqual(['POST v1/responses', `POST v1/responses/${ID}/cancel`]);
  }
});
