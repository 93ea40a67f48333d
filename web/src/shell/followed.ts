/** What is under way for each turn, of which there is one thing at a time. */
export class Followed {
  readonly #running = new Map<string, AbortController>();

  /** Begins anew for this turn: what was under way for it ends first. */
  begin(key: string): AbortSignal {
    this.end(key);
    const controller = new AbortController();
    this.#running.set(key, controller);
    return controller.signal;
  }

  /** The signal of what is under way for this turn; of something new if there is nothing. */
  signal(key: string): AbortSignal {
    return this.#running.get(key)?.signal ?? this.begin(key);
  }

  end(key: string): void {
    this.#running.get(key)?.abort();
    this.#running.delete(key);
  }

  endAll(): void {
    for (const key of [...this.#running.keys()]) this.end(key);
  }
}
