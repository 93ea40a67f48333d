/** Waits that many milliseconds, or until the signal is given or one of these events happens. */
export function pause(ms: number, stop: AbortSignal | null, ...wakers: (readonly [EventTarget, string])[]): Promise<void> {
  if (stop?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = new AbortController();
    const wake = () => {
      done.abort();
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    const listening = { signal: done.signal, once: true };
    stop?.addEventListener('abort', wake, listening);
    for (const [target, type] of wakers) target.addEventListener(type, wake, listening);
  });
}
