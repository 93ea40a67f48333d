// What this tab is doing: who is signed in, which models there are, and the conversation.

import { computed, signal } from '@preact/signals';
import { type Action, type Conversation, isRunning, mayRun, reduce } from '../core/conversation';
import { Api, isKey } from './api';
import { type World, cancel, follow } from './follow';
import { Followed } from './followed';
import { leave } from './leave';
import { memory } from './memory';
import { pause } from './pause';

/** How long events may go unwritten, in milliseconds: after a crash of the tab they are asked for again. */
const WRITE_EVERY = 1_000;

export const api = signal<Api | null>(null);
export const models = signal<readonly string[]>([]);
export const model = signal('');
export const turns = signal<Conversation>([]);
/** The turn whose answer is on its way. */
export const running = computed(() => turns.value.find(isRunning));
/** The response whose events are looked at. */
export const inspected = signal<string | null>(null);
/** Why the last sign-in came to nothing. */
export const refusal = signal('');

/** The requests for turns. */
const followed = new Followed();
/** Ends what else is under way for who is signed in now. */
let leaving = new AbortController();
/** Wakes what waits for the server. */
const nudge = new EventTarget();
let unwritten: ReturnType<typeof setTimeout> | undefined;

function dispatch(action: Action): void {
  const before = turns.value;
  turns.value = reduce(before, action);
  if (turns.value === before) return;
  // Not each delta: what the server has can be read again.
  if (action.type === 'event' && action.event.sequence_number !== 0) writeSoon();
  else write();
  if (action.type === 'event') stopIfAsked(action.key, action.event.sequence_number === 0);
}

function write(): void {
  clearTimeout(unwritten);
  unwritten = undefined;
  if (api.value !== null) memory.keepConversation(turns.value);
}

function writeSoon(): void {
  unwritten ??= setTimeout(write, WRITE_EVERY);
}

/** Who pressed the button before the response had an id is heard as soon as it has one. */
function stopIfAsked(key: string, first: boolean): void {
  if (first && world().turn(key)?.stopping) void cancel(key, world(), followed.signal(key));
}

/** Sees a turn through to its end, instead of what was under way for it. */
function see(key: string): void {
  void follow(key, world(), followed.begin(key));
}

function world(): World {
  return {
    // Nothing is followed but for somebody who is signed in.
    api: api.value ?? new Api(''),
    turn: (key) => turns.value.find((turn) => turn.key === key),
    dispatch,
    pause: untilWoken,
    now: () => Date.now(),
    random: () => Math.random(),
  };
}

function untilWoken(ms: number, stop: AbortSignal | null): Promise<void> {
  return pause(ms, stop, [nudge, 'now'], [globalThis, 'online']);
}

/** Signs in with a key. False if that failed; `refusal` says why. */
export async function signIn(key: string): Promise<boolean> {
  refusal.value = '';
  if (!isKey(key)) {
    refusal.value = key === '' ? 'Please enter an API key.' : 'A key has no spaces and no letters beyond ASCII.';
    return false;
  }
  const candidate = new Api(key);
  try {
    const answer = await candidate.models(leaving.signal);
    if (!answer.ok) {
      const { status, message } = answer.verdict.problem;
      refusal.value = status === 401 ? 'This key is not valid, or it was revoked.' : message;
      return false;
    }
    enter(candidate, answer.names);
    memory.keepKey(key);
    return true;
  } catch {
    refusal.value = 'The server can’t be reached. Is it running?';
    return false;
  }
}

function enter(candidate: Api, names: readonly string[]): void {
  models.value = names;
  const chosen = memory.model();
  model.value = chosen ?? names[0] ?? '';
  api.value = candidate;
}

/** Goes on where this tab was before it was loaded again. */
export function restore(): void {
  const key = memory.key();
  if (key === null) return;
  const [kept, candidate] = [memory.conversation(), new Api(key)];
  enter(candidate, []);
  turns.value = kept;
  for (const turn of kept) {
    if (turn.phase.name !== 'refused') see(turn.key);
    if (turn.stopping) void cancel(turn.key, world(), followed.signal(turn.key));
  }
  void loadModels(candidate);
}

async function loadModels(candidate: Api): Promise<void> {
  for (const { signal: stop } = leaving; !stop.aborted; ) {
    try {
      const answer = await candidate.models(stop);
      if (answer.ok) return enter(candidate, answer.names);
      if (answer.verdict.problem.status === 401) {
        signOut();
        refusal.value = 'Your key is no longer valid.';
        return;
      }
    } catch {
      // It can't be reached now.
    }
    await untilWoken(2_000, stop);
  }
}

/** Leaves no trace in this tab, and nothing running. */
export function signOut(): void {
  newConversation();
  leaving.abort();
  leaving = new AbortController();
  memory.wipe();
  api.value = null;
  models.value = [];
  model.value = '';
  refusal.value = '';
}

export function choose(name: string): void {
  model.value = name;
  memory.keepModel(name);
}

/** Begins a new conversation; what runs in this one is stopped. */
export function newConversation(): void {
  const [going, current] = [turns.value.filter(mayRun), api.value];
  followed.endAll();
  if (current !== null) {
    // The server would go on without anybody here, as it was asked to. Nobody waits for this.
    const outside = { api: current, pause: (ms: number) => untilWoken(ms, null), random: Math.random };
    for (const turn of going) void leave(turn, outside);
  }
  inspected.value = null;
  turns.value = [];
  write();
}

/** Sends what somebody said. */
export function send(input: string): void {
  if (running.value !== undefined || api.value === null) return;
  const key = name();
  dispatch({ type: 'sent', key, model: model.value, input });
  see(key);
}

/** Tries a turn again that the server refused. */
export function again(key: string): void {
  const turn = turns.value.find((turn) => turn.key === key);
  if (turn?.phase.name !== 'refused') return;
  dispatch({ type: 'asking', key });
  see(key);
}

/** Takes a turn back that has come to nothing. */
export function takeBack(key: string): void {
  followed.end(key);
  dispatch({ type: 'removed', key });
}

/** Stops the answer that is on its way, now or as soon as it has an id. */
export function stop(): void {
  const turn = running.value;
  if (turn === undefined || turn.stopping) return;
  if (turn.phase.name === 'waiting' && turn.phase.why === 'busy' && turn.answer.id === null) {
    const problem = { status: 0, code: 'stopped', message: 'You stopped before the server had taken it.' };
    followed.end(turn.key);
    return dispatch({ type: 'refused', key: turn.key, problem });
  }
  dispatch({ type: 'stopping', key: turn.key });
  void cancel(turn.key, world(), followed.signal(turn.key));
}

/** Does not wait any longer for the next attempt. */
export function tryNow(): void {
  nudge.dispatchEvent(new Event('now'));
}

/** A name of its own for a turn. `randomUUID` is there only on pages served over TLS or from this machine. */
function name(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

addEventListener('pagehide', write);
