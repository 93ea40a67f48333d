// Ends the answer of a turn that nobody will see any more.

import type { Turn } from '../core/conversation';
import { fields, parsed, text } from '../core/json';
import { type Verdict, backoff } from '../core/retry';
import { frames } from './api';
import type { World } from './follow';

/** How often a server that can't be reached or is busy is asked: for some minutes. */
const MOST_ATTEMPTS = 40;

/** What leaving needs of the world around it. */
export interface Outside {
  readonly api: Pick<World['api'], 'create' | 'cancel'>;
  /** Waits that many milliseconds, or until there is a reason to try at once. */
  pause(ms: number): Promise<void>;
  random(): number;
}

/**
 * Cancels the response of a turn. If its id is not known the request is made again, which is the same response, until
 * the server has told it. Ends when the server has heard the cancel or refused it for good. Never rejects.
 */
export async function leave(turn: Turn, outside: Outside): Promise<void> {
  let { id } = turn.answer;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    let after: number | null = null;
    try {
      if (id === null) {
        const told = await idOf(turn, outside);
        if (told.verdict?.again === false) return;
        id = told.id;
        after = told.verdict?.after ?? null;
      }
      if (id !== null) {
        const reply = await outside.api.cancel(id);
        if (reply.ok || !reply.verdict.again) return;
        after = reply.verdict.after;
      }
    } catch {
      // The server can't be reached; it works on all the same.
    }
    await outside.pause(after ?? backoff(attempt, outside.random()));
  }
}

/** The id of the response to a turn, or what stands against it; neither where the stream was lost before it. */
async function idOf(turn: Turn, { api }: Outside): Promise<{ id: string | null; verdict: Verdict | null }> {
  const reply = await api.create(turn, new AbortController().signal);
  if (!reply.ok) return { id: null, verdict: reply.verdict };
  for await (const { data } of frames(reply.response)) {
    const id = text(fields(fields(parsed(data)).response).id);
    if (id !== null) return { id, verdict: null };
  }
  return { id: null, verdict: null };
}
