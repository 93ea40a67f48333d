import { expect, test, vi } from 'vitest';
import { type Action, type Conversation, reduce } from '../src/core/conversation';
import { plainText } from '../src/core/item';
import { judge } from '../src/core/retry';
import { freeze, thaw } from '../src/core/stored';
import type { Reply } from '../src/shell/api';
import { type World, cancel, follow } from '../src/shell/follow';
import { ID, events, stream } from './events';

const WORDS = ['Grüße ', 'from ', 'the ', 'other ', 'side 𝄞'];
const TEXT = WORDS.join('');

/** Bytes, and then the loss of the connection or its clean end. */
function answer(bytes: Uint8Array, end: 'lost' | 'clean'): Reply {
  let sent = bytes.length === 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (!sent) {
        // An error throws away what was not read by then.
        sent = true;
        controller.enqueue(bytes);
      } else if (end === 'lost') controller.error(new TypeError('network error'));
      else controller.close();
    },
  });
  return { ok: true, response: new Response(body) };
}

function refusal(status: number, header: Record<string, string> = {}): Reply {
  const body = JSON.stringify({ error: { message: 'No.', type: 't', code: 'c' } });
  return { ok: false, verdict: judge(status, (name) => header[name] ?? null, body, 0) };
}

/** A server with one response, which answers each request by the next of these; the last one stays. */
class Server implements World {
  turns: Conversation = reduce([], { type: 'sent', key: 'k', model: 'm', input: 'i' });
  readonly asked: string[] = [];
  readonly waits: number[] = [];
  readonly phases: string[] = [];
  readonly #plays: ((after: number) => Reply)[];

  constructor(...plays: ((after: number) => Reply)[]) {
    this.#plays = plays;
  }

  readonly api: World['api'] = {
    create: async (turn) => this.#next(`create ${turn.key}`, -1),
    events: async (id, after) => this.#next(`events ${id} ${after}`, after),
    read: async (id) => this.#next(`read ${id}`, -1),
    cancel: async (id) => this.#next(`cancel ${id}`, -1),
  };

  #next(what: string, after: number): Reply {
    this.asked.push(what);
    const play = this.#plays.length > 1 ? this.#plays.shift() : this.#plays[0];
    if (play === undefined) throw new TypeError('failed to fetch');
    return play(after);
  }

  turn = (key: string) => this.turns.find((turn) => turn.key === key);
  dispatch = (action: Action) => {
    this.turns = reduce(this.turns, action);
    const name = this.turn('k')?.phase.name ?? 'gone';
    if (this.phases.at(-1) !== name) this.phases.push(name);
  };
  pause = async (ms: number) => void this.waits.push(ms);
  now = () => 0;
  random = () => 1;

  get text(): string {
    return plainText(this.turn('k')?.answer.items ?? []);
  }
}

const ALL = events(WORDS);
const whole = (after: number) => answer(stream(ALL.slice(after + 1)), 'clean');
const never = new AbortController().signal;

test('a stream that is cut after any byte is told once and whole', { timeout: 120_000 }, async () => {
  const bytes = stream(ALL);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const server = new Server(() => answer(bytes.slice(0, cut), cut % 2 === 0 ? 'lost' : 'clean'), whole);
    await follow('k', server, never);
    expect([server.text, server.turn('k')?.phase.name], `cut at ${cut}`).toEqual([TEXT, 'ended']);
    expect(server.asked.length).toBeLessThanOrEqual(2);
  }
});

test('a stream that is cut after every event or two is told once and whole', async () => {
  const play = (after: number) => {
    const rest = stream(ALL.slice(after + 1));
    const [head, ends] = [rest.indexOf(100), (from: number) => rest.indexOf(10, from) + 1];
    return answer(rest.slice(0, ends(ends(ends(head)))), 'lost');
  };
  const server = new Server(play);
  await follow('k', server, never);
  expect(server.text).toBe(TEXT);
  expect(server.asked.length).toBeGreaterThan(5);
  // Each attempt brought something, so that none waits longer than the first.
  expect(Math.max(...server.waits)).toBe(300);
});

test('before the id is known the same request is made again, and after it the rest is asked for', async () => {
  const cut = stream(ALL.slice(0, 6));
  const gone = () => {
    throw new TypeError('failed to fetch');
  };
  const server = new Server(gone, gone, () => answer(cut, 'lost'), gone, whole);
  await follow('k', server, never);
  expect(server.asked).toEqual(['create k', 'create k', 'create k', `events ${ID} 5`, `events ${ID} 5`]);
  expect(server.phases).toEqual(
    ['asking', 'waiting', 'asking', 'waiting', 'asking', 'open', 'waiting', 'asking', 'waiting', 'asking', 'open', 'ended'],
  );
});

test('an error event, and a hole, end the stream and not the turn', async () => {
  const error = { type: 'error', sequence_number: 5, error: { message: 'away' } };
  const hole = [...ALL.slice(0, 6), ...ALL.slice(7)];
  for (const broken of [[...ALL.slice(0, 6), error], hole]) {
    const server = new Server(() => answer(stream(broken), 'clean'), whole);
    await follow('k', server, never);
    expect([server.text, server.asked[1]]).toEqual([TEXT, `events ${ID} 5`]);
  }
});

test('the wait that the server asks for is kept, and who is busy for ever is told of', async () => {
  const server = new Server(() => refusal(429, { 'retry-after': '3' }), whole);
  await follow('k', server, never);
  expect([server.waits, server.text]).toEqual([[3000], TEXT]);
  const busy = new Server(() => refusal(503, { 'retry-after': '1' }));
  await follow('k', busy, never);
  expect(busy.turn('k')?.phase).toEqual({ name: 'refused', problem: { status: 503, code: 'c', message: 'No.' } });
  expect(busy.waits.length).toBe(8);
});

test('attempts that are lost do not count against a server that is busy', async () => {
  const gone = () => {
    throw new TypeError('failed to fetch');
  };
  const busy = () => refusal(429, { 'retry-after': '1' });
  const server = new Server(...Array(10).fill(gone), ...Array(8).fill(busy), gone, ...Array(8).fill(busy), whole);
  await follow('k', server, never);
  expect([server.text, server.phases.includes('refused')]).toEqual([TEXT, false]);
});

test('what is no response is read again, and a response that still runs is followed', async () => {
  const login = () => ({ ok: true, response: new Response('<html>Sign in</html>') }) as const;
  const read = (event: object | undefined) => () =>
    ({ ok: true, response: Response.json((event as { response?: unknown }).response) }) as const;
  for (const [last, more] of [[ALL.at(-1), []], [ALL[0], [whole]]] as const) {
    const server = new Server(login, read(last), ...more);
    for (const event of ALL.slice(0, 2)) server.dispatch({ type: 'event', key: 'k', event });
    server.dispatch({ type: 'refused', key: 'k', problem: { status: 403, code: 'c', message: 'No.' } });
    server.turns = thaw(freeze(server.turns));
    await follow('k', server, never);
    expect([server.text, server.turn('k')?.phase.name]).toEqual([TEXT, 'ended']);
    expect(server.asked.slice(0, 2)).toEqual([`read ${ID}`, `read ${ID}`]);
  }
});

test('what the server refuses for good is not asked again', async () => {
  const server = new Server(() => refusal(404));
  await follow('k', server, never);
  expect([server.asked.length, server.turn('k')?.phase.name]).toEqual([1, 'refused']);
});

test('a turn that was taken away, and a page that is left, are followed no more', async () => {
  const removed = new Server(() => {
    removed.dispatch({ type: 'removed', key: 'k' });
    return answer(stream(ALL), 'clean');
  });
  await follow('k', removed, never);
  expect(removed.asked.length).toBe(1);
  const leaving = new AbortController();
  const left = new Server(() => {
    leaving.abort();
    throw new TypeError('aborted');
  });
  await follow('k', left, leaving.signal);
  expect([left.asked.length, left.waits]).toEqual([1, []]);
});

test('a stream that falls silent counts as lost', async () => {
  vi.useFakeTimers();
  try {
    const silent = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(stream(ALL.slice(0, 6))) });
    const server = new Server(() => ({ ok: true, response: new Response(silent) }), whole);
    const followed = follow('k', server, never);
    await vi.advanceTimersByTimeAsync(44_000);
    expect(server.phases).toEqual(['asking', 'open']);
    await vi.advanceTimersByTimeAsync(2_000);
    await followed;
    expect([server.text, server.asked]).toEqual([TEXT, ['create k', `events ${ID} 5`]]);
  } finally {
    vi.useRealTimers();
  }
});

test('a cancel is repeated until the server has heard it', async () => {
  const gone = () => {
    throw new TypeError('failed to fetch');
  };
  const server = new Server(gone, () => refusal(503, { 'retry-after': '1' }), () => answer(new Uint8Array(), 'clean'));
  for (const event of ALL.slice(0, 6)) server.dispatch({ type: 'event', key: 'k', event });
  server.dispatch({ type: 'stopping', key: 'k' });
  await cancel('k', server, never);
  expect(server.asked).toEqual(Array.from({ length: 3 }, () => `cancel ${ID}`));
  // One that came too late is as good as one that was heard.
  const late = new Server(() => refusal(400));
  for (const event of ALL.slice(0, 6)) late.dispatch({ type: 'event', key: 'k', event });
  late.dispatch({ type: 'stopping', key: 'k' });
  await cancel('k', late, never);
  expect([late.asked.length, late.turn('k')?.stopping]).toEqual([1, true]);
  const forbidden = new Server(() => refusal(403));
  for (const event of ALL.slice(0, 6)) forbidden.dispatch({ type: 'event', key: 'k', event });
  forbidden.dispatch({ type: 'stopping', key: 'k' });
  await cancel('k', forbidden, never);
  expect(forbidden.turn('k')).toMatchObject({ stopping: false, unstopped: { status: 403, message: 'No.' } });
});
