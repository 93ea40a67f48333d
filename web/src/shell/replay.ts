// The events of a response as they were, for people to look at.

import { type Answer, UNKNOWN, fold, hasEnded, place } from '../core/answer';
import { type Fields, count, fields, parsed, text } from '../core/json';
import { backoff } from '../core/retry';
import { type Api, frames } from './api';
import { pause } from './pause';

export interface Recorded {
  readonly number: number;
  readonly type: string;
  /** The data as it was sent. */
  readonly data: string;
}

export interface Replay {
  readonly records: readonly Recorded[];
  readonly answer: Answer;
  /** The Response object of the last event that had one. */
  readonly response: Fields;
  readonly state: 'loading' | 'lost' | 'busy' | 'whole' | 'refused';
  readonly problem: string;
}

export const NOTHING: Replay = { records: [], answer: UNKNOWN, response: {}, state: 'loading', problem: '' };

/** Reads a response from its first event on, to its ending, and shows what there is as it comes. */
export async function replay(
  api: Pick<Api, 'events'>,
  id: string,
  show: (replay: Replay) => void,
  signal: AbortSignal,
): Promise<void> {
  // One list for all that is shown: thousands of events are not copied for each.
  const records: Recorded[] = [];
  let now: Replay = { ...NOTHING, records };
  const update = (change: Partial<Replay>) => show((now = { ...now, ...change }));
  for (let failures = 0; !signal.aborted; failures += 1) {
    const seen = records.length;
    let [state, after]: ['lost' | 'busy', number | null] = ['lost', null];
    try {
      const reply = await api.events(id, now.answer.last, signal);
      if (reply.ok) {
        for await (const { data } of frames(reply.response)) {
          const event = fields(parsed(data));
          const stands = place(now.answer, event);
          // An `error` event ends the stream; after a hole the rest is of no use, and is asked for again.
          if (event.type === 'error' || stands === 'hole') break;
          if (stands === 'next') update({ ...recorded(now, records, event, data), state: 'loading' });
        }
      } else if (reply.verdict.again) {
        ({ why: state, after } = reply.verdict);
      } else {
        return update({ state: 'refused', problem: reply.verdict.problem.message });
      }
    } catch {
      // Lost: the next attempt goes on after the last event.
    }
    if (hasEnded(now.answer)) return update({ state: 'whole' });
    if (signal.aborted) return;
    update({ state });
    if (records.length > seen) failures = 0;
    await pause(after ?? backoff(failures, Math.random()), signal);
  }
}

/** What the next event changes; it is put on the list. */
function recorded(now: Replay, records: Recorded[], event: Fields, data: string): Pick<Replay, 'answer' | 'response'> {
  records.push({ number: count(event.sequence_number) ?? 0, type: text(event.type) ?? '', data });
  const response = event.response === undefined ? now.response : fields(event.response);
  return { answer: fold(now.answer, event), response };
}
