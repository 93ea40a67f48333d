// When a request is made again, and when not.

import type { Problem } from './conversation';
import { fields, parsed, text } from './json';

/** What follows from an answer that is no success. */
export type Verdict =
  /** It is made again, after that many milliseconds if the server said so. */
  | { readonly again: true; readonly why: 'lost' | 'busy'; readonly after: number | null; readonly problem: Problem }
  /** It would be the same again. */
  | { readonly again: false; readonly problem: Problem };

/** The longest wait between two attempts, in milliseconds, unless the server asks for more. */
const LONGEST = 15_000;

/** How long to wait before the attempt of that number, from 0, in milliseconds; `random` is between 0 and 1. */
export function backoff(attempt: number, random: number): number {
  const whole = Math.min(LONGEST, 300 * 2 ** attempt);
  return Math.round(whole * (0.6 + 0.4 * random));
}

/** How long the server asks to wait, in milliseconds. */
export function retryAfter(header: (name: string) => string | null, now: number): number | null {
  const exact = Number(header('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const said = header('retry-after');
  if (said === null) return null;
  const seconds = Number(said);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  const date = Date.parse(said);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** Judges an answer by its status, its headers and its body. */
export function judge(
  status: number,
  header: (name: string) => string | null,
  body: string,
  now: number,
): Verdict {
  const error = fields(fields(parsed(body)).error);
  const message = text(error.message);
  const problem: Problem = {
    status,
    code: text(error.code) ?? text(error.type) ?? `http_${status}`,
    message: message ?? `The server answered with the status ${status}.`,
  };
  const after = retryAfter(header, now);
  if (header('x-should-retry') === 'false') return { again: false, problem };
  if (after !== null) return { again: true, why: 'busy', after, problem };
  // What is between here and the server answers so while that starts, without an error of its own.
  const why = message === null ? 'lost' : 'busy';
  if (status >= 500 || status === 429) return { again: true, why, after, problem };
  return { again: false, problem };
}
