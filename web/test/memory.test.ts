import { afterEach, expect, test, vi } from 'vitest';
import { reduce } from '../src/core/conversation';

const TURNS = reduce([], { type: 'sent', key: 'k', model: 'm', input: 'i' });

const denied = () => {
  throw new DOMException('denied', 'SecurityError');
};

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** What a page reads that has kept a key, a model and a conversation, and after it has wiped them. */
async function keeps(): Promise<unknown[]> {
  const { memory } = await import('../src/shell/memory');
  const read = () => [memory.key(), memory.model(), memory.conversation()];
  memory.keepKey('ak');
  memory.keepModel('m');
  memory.keepConversation(TURNS);
  const kept = read();
  memory.wipe();
  return [kept, read()];
}

test('where the browser blocks the data of sites the page remembers as long as it lives', async () => {
  const expected = [['ak', 'm', TURNS], [null, null, []]];
  // The object itself is refused, or all that it does.
  vi.stubGlobal('sessionStorage', undefined);
  Object.defineProperty(globalThis, 'sessionStorage', { configurable: true, get: denied });
  expect(await keeps()).toEqual(expected);
  vi.unstubAllGlobals();
  vi.resetModules();
  vi.stubGlobal('sessionStorage', { getItem: denied, setItem: denied, removeItem: denied, clear: denied });
  expect(await keeps()).toEqual(expected);
});

test('what has no room is kept by its ids, and no old state stands for a new one', async () => {
  const values = new Map([['antiphon.conversation', 'old'], ['antiphon.key', 'old']]);
  vi.stubGlobal('sessionStorage', {
    getItem: (name: string) => values.get(name) ?? null,
    setItem: denied,
    removeItem: (name: string) => values.delete(name),
    clear: () => values.clear(),
  });
  const { memory } = await import('../src/shell/memory');
  memory.keepConversation(TURNS);
  memory.keepKey('ak');
  expect([...values]).toEqual([]);
});
