import { expect, test } from 'vitest';
import { backoff, judge, retryAfter } from '../src/core/retry';

const headers = (all: Record<string, string>) => (name: string) => all[name] ?? null;
const envelope = (code: string, message = 'Because.') => JSON.stringify({ error: { message, type: 't', code } });

test('waits grow, have a bound, and are never alike for all', () => {
  const waits = [0, 1, 2, 3, 4, 5, 6, 20].map((attempt) => backoff(attempt, 1));
  expect(waits).toEqual([300, 600, 1200, 2400, 4800, 9600, 15000, 15000]);
  expect(backoff(20, 0)).toBe(9000);
});

test('the server’s own wait is read in every form', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfter(headers({}), now)).toBeNull();
  expect(retryAfter(headers({ 'retry-after': '7' }), now)).toBe(7000);
  expect(retryAfter(headers({ 'retry-after': '7', 'retry-after-ms': '1500' }), now)).toBe(1500);
  expect(retryAfter(headers({ 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT' }), now)).toBe(9000);
  expect(retryAfter(headers({ 'retry-after': 'Thu, 01 Jan 2020 00:00:00 GMT' }), now)).toBe(0);
  expect(retryAfter(headers({ 'retry-after': 'soon' }), now)).toBeNull();
});

test('what would be the same again is not tried again', () => {
  for (const [status, more] of [
    [400, {}],
    [401, {}],
    [404, {}],
    [409, { 'x-should-retry': 'false' }],
    [502, { 'x-should-retry': 'false' }],
    [500, { 'x-should-retry': 'false', 'retry-after': '1' }],
  ] as const) {
    const verdict = judge(status, headers(more), envelope('c'), 0);
    expect(verdict).toEqual({ again: false, problem: { status, code: 'c', message: 'Because.' } });
  }
});

test('a server that is busy is waited for, and one that starts counts as lost', () => {
  expect(judge(429, headers({ 'retry-after': '2' }), envelope('queue_full'), 0)).toMatchObject({
    again: true,
    why: 'busy',
    after: 2000,
  });
  expect(judge(409, headers({ 'retry-after': '1' }), envelope('conversation_locked'), 0)).toMatchObject({ again: true });
  expect(judge(503, headers({}), envelope('database_unavailable'), 0)).toMatchObject({ why: 'busy', after: null });
  const gateway = judge(502, headers({}), '<html>Bad gateway</html>', 0);
  expect(gateway).toMatchObject({ again: true, why: 'lost', problem: { code: 'http_502' } });
});
