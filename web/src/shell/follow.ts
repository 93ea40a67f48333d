// Sees a turn through to its end, whatever happens to the connection.

import { isResponse, place } from '../core/answer';
import { type Action, type Problem, type Turn, isRunning } from '../core/conversation';
import { fields, parsed } from '../core/json';
import { type Verdict, backoff } from '../core/retry';
import { type Api, frames } from './api';

/** How often in a row a server that is busy is asked before people are told so. */
const MOST_BUSY = 8;

/** What following needs of the world around it. */
export interface World {
  readonly api: Pick<Api, 'create' | 'events' | 'read' | 'cancel'>;
  /** The turn as of now; none if it is gone. */
  turn(key: string): Turn | undefined;
  dispatch(action: Action): void;
  /** Waits that many milliseconds, or until there is a reason to try at once. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
  now(): number;
  random(): number;
}

/** What one attempt came to that is not the end. `progress`: it brought something new. */
interface Unfinished {
  readonly over: false;
  readonly why: 'lost' | 'busy';
  readonly after: number | null;
  readonly progress: boolean;
  readonly problem: Problem | null;
}

type Attempt = { readonly over: true } | Unfinished;

const OVER: Attempt = { over: true };
const LOST: Unfinished = { over: false, why: 'lost', after: null, progress: false, problem: null };

/** Follows the turn until it is over or the signal is given. Never rejects. */
export async function follow(key: string, world: World, signal: AbortSignal): Promise<void> {
  let [failures, busy] = [0, 0];
  while (!signal.aborted) {
    const turn = world.turn(key);
    if (turn === undefined || !(isRunning(turn) || turn.phase.name === 'reading')) return;
    world.dispatch({ type: 'asking', key });
    const attempt = await once(turn, world, signal);
    if (attempt.over || signal.aborted) return;
    failures = attempt.progress ? 0 : failures + 1;
    busy = attempt.why === 'busy' ? busy + 1 : 0;
    if (attempt.problem !== null && busy > MOST_BUSY) {
      return world.dispatch({ type: 'refused', key, problem: attempt.problem });
    }
    const wait = attempt.after ?? backoff(Math.max(0, failures - 1), world.random());
    if (turn.phase.name !== 'reading') world.dispatch({ type: 'waiting', key, why: attempt.why, until: world.now() + wait });
    await world.pause(wait, signal);
  }
}

async function once(turn: Turn, world: World, signal: AbortSignal): Promise<Attempt> {
  const { id, last } = turn.answer;
  const known = () => world.turn(turn.key)?.answer.last ?? last;
  try {
    if (turn.phase.name === 'reading' && id !== null) return await readAgain(turn.key, id, world, signal);
    const reply = await (id === null ? world.api.create(turn, signal) : world.api.events(id, last, signal));
    if (!reply.ok) return judged(turn.key, reply.verdict, world);
    world.dispatch({ type: 'opened', key: turn.key });
    if (await take(turn.key, reply.response, world)) return OVER;
  } catch {
    // Nothing came, or no more: what is the matter with the network nobody can say, and it does not matter.
  }
  return { ...LOST, progress: known() > last };
}

/** Takes what the stream brings; true at the end of the turn, false at any other end of the stream. */
async function take(key: string, response: Response, world: World): Promise<boolean> {
  for await (const { data } of frames(response)) {
    const event = fields(parsed(data));
    const turn = world.turn(key);
    if (turn === undefined) return true;
    // An `error` event ends the stream and not the response; after a hole the rest is of no use.
    if (event.type === 'error' || place(turn.answer, event) === 'hole') return false;
    world.dispatch({ type: 'event', key, event });
    if (world.turn(key)?.phase.name === 'ended') return true;
  }
  return false;
}

async function readAgain(key: string, id: string, world: World, signal: AbortSignal): Promise<Attempt> {
  const reply = await world.api.read(id, signal);
  if (!reply.ok) return judged(key, reply.verdict, world);
  const response = parsed(await reply.response.text());
  // Such as the page of a proxy that wants people to sign in.
  if (!isResponse(response)) return LOST;
  world.dispatch({ type: 'read', key, response });
  const turn = world.turn(key);
  // One that still runs is followed from here on, at once.
  return turn !== undefined && isRunning(turn) ? { ...LOST, after: 0, progress: true } : OVER;
}

function judged(key: string, verdict: Verdict, world: World): Attempt {
  if (verdict.again) return { over: false, ...verdict, progress: false };
  world.dispatch({ type: 'refused', key, problem: verdict.problem });
  return OVER;
}

/**
 * Cancels the response of a turn, again and again until the server has heard it. Its stream tells the ending; what
 * stands against it people are told.
 */
export async function cancel(key: string, world: World, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const id = world.turn(key)?.answer.id ?? null;
    if (id === null || !world.turn(key)?.stopping) return;
    try {
      const reply = await world.api.cancel(id);
      if (reply.ok || hasEnded(reply.verdict)) return;
      if (!reply.verdict.again) return world.dispatch({ type: 'unstopped', key, problem: reply.verdict.problem });
    } catch {
      // The server can't be reached; the turn is waiting for it too.
    }
    await world.pause(backoff(attempt, world.random()), signal);
  }
}

/** Whether a cancel was refused because it came too late. */
function hasEnded(verdict: Verdict): boolean {
  return !verdict.again && verdict.problem.status === 400;
}
