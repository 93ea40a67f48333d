// A conversation and everything that can happen to it.

import { type Answer, UNKNOWN, fold, hasEnded, isResponse, ofResponse } from './answer';
import type { Fields } from './json';

/** An answer that is no success, as people are told it. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Where a turn stands between this page and the server. */
export type Phase =
  /** A request is on its way. */
  | { readonly name: 'asking' }
  /** Events come in. */
  | { readonly name: 'open' }
  /** The next request is made at that time, in milliseconds of the clock. */
  | { readonly name: 'waiting'; readonly why: 'lost' | 'busy'; readonly until: number }
  /** It ended earlier, and is read again. */
  | { readonly name: 'reading' }
  /** The response has ended, and all of it is here. */
  | { readonly name: 'ended' }
  /** The server said no. */
  | { readonly name: 'refused'; readonly problem: Problem };

/** What somebody said, and the answer to it. */
export interface Turn {
  /** Its idempotency key: the name of the turn before the server has given it an id. */
  readonly key: string;
  readonly model: string;
  readonly input: string;
  /** The response that it goes on from. */
  readonly previous: string | null;
  readonly answer: Answer;
  readonly phase: Phase;
  /** Somebody asked for its end. */
  readonly stopping: boolean;
  /** Why the server did not stop it when it was last asked to. */
  readonly unstopped: Problem | null;
}

export type Conversation = readonly Turn[];

export type Action =
  | { readonly type: 'sent'; readonly key: string; readonly model: string; readonly input: string }
  | { readonly type: 'asking'; readonly key: string }
  | { readonly type: 'opened'; readonly key: string }
  | { readonly type: 'event'; readonly key: string; readonly event: Fields }
  | { readonly type: 'waiting'; readonly key: string; readonly why: 'lost' | 'busy'; readonly until: number }
  | { readonly type: 'refused'; readonly key: string; readonly problem: Problem }
  | { readonly type: 'read'; readonly key: string; readonly response: unknown }
  | { readonly type: 'stopping'; readonly key: string }
  | { readonly type: 'unstopped'; readonly key: string; readonly problem: Problem }
  | { readonly type: 'removed'; readonly key: string };

/**
 * The conversation after something happened. What concerns a turn that is over, or not there, changes nothing, and
 * where nothing changes the list is the same one.
 */
export function reduce(turns: Conversation, action: Action): Conversation {
  switch (action.type) {
    case 'sent': {
      const { key, model, input } = action;
      const previous = turns.findLast((turn) => turn.answer.id !== null)?.answer.id ?? null;
      const phase: Phase = { name: 'asking' };
      return [...turns, { key, model, input, previous, answer: UNKNOWN, phase, stopping: false, unstopped: null }];
    }
    case 'removed':
      return turns.some((turn) => turn.key === action.key) ? turns.filter((turn) => turn.key !== action.key) : turns;
    default: {
      const before = turns.find((turn) => turn.key === action.key);
      if (before === undefined) return turns;
      const after = happened(before, action);
      return after === before ? turns : turns.map((turn) => (turn === before ? after : turn));
    }
  }
}

function happened(turn: Turn, action: Exclude<Action, { type: 'sent' | 'removed' }>): Turn {
  if (turn.phase.name === 'ended') return turn;
  switch (action.type) {
    case 'asking':
      if (turn.phase.name === 'reading' || turn.phase.name === 'asking') return turn;
      return { ...turn, phase: { name: 'asking' } };
    case 'opened':
      return { ...turn, phase: { name: 'open' } };
    case 'event':
      return answered(turn, fold(turn.answer, action.event));
    case 'waiting':
      return { ...turn, phase: { name: 'waiting', why: action.why, until: action.until } };
    case 'refused':
      return { ...turn, phase: { name: 'refused', problem: action.problem }, stopping: false };
    case 'read':
      return read(turn, action.response);
    case 'stopping':
      return isRunning(turn) ? { ...turn, stopping: true, unstopped: null } : turn;
    case 'unstopped':
      return turn.stopping ? { ...turn, stopping: false, unstopped: action.problem } : turn;
  }
}

function answered(turn: Turn, answer: Answer): Turn {
  if (answer === turn.answer) return turn;
  if (!hasEnded(answer)) return { ...turn, answer };
  return { ...turn, answer, phase: { name: 'ended' }, stopping: false, unstopped: null };
}

/** One that still runs goes on after its last event; what is no response says nothing. */
function read(turn: Turn, response: unknown): Turn {
  if (!isResponse(response)) return turn;
  const answer = ofResponse(response, turn.answer.last);
  return hasEnded(answer) ? answered(turn, answer) : { ...turn, phase: { name: 'asking' } };
}

/** Whether its answer is still to come, or the rest of it. */
export function isRunning(turn: Turn): boolean {
  switch (turn.phase.name) {
    case 'asking':
    case 'open':
    case 'waiting':
      return true;
    case 'reading':
    case 'ended':
    case 'refused':
      return false;
  }
}

/** Whether the server may be at work on it, for all that this page knows. */
export function mayRun(turn: Turn): boolean {
  switch (turn.phase.name) {
    case 'asking':
    case 'open':
      return true;
    case 'waiting':
      // Who is busy has not taken it.
      return turn.answer.id !== null || turn.phase.why === 'lost';
    case 'refused':
      return turn.answer.id !== null;
    case 'reading':
    case 'ended':
      return false;
  }
}

/** The body of the request for a turn: the same bytes however often it is made. */
export function requestBody(turn: Turn): string {
  const { model, input, previous } = turn;
  return JSON.stringify({ model, input, previous_response_id: previous, stream: true });
}
