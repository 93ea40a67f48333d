// What outlives a reload of this tab, and nothing else.

import { type Conversation } from '../core/conversation';
import { freeze, thaw } from '../core/stored';

const [KEY, MODEL, CONVERSATION] = ['antiphon.key', 'antiphon.model', 'antiphon.conversation'];

export const memory = {
  key: (): string | null => place().getItem(KEY),
  keepKey: (key: string): void => keep(KEY, key),
  model: (): string | null => place().getItem(MODEL),
  keepModel: (model: string): void => keep(MODEL, model),
  conversation: (): Conversation => thaw(place().getItem(CONVERSATION)),
  keepConversation(turns: Conversation): void {
    // A tab's storage has room for some megabytes; the ids of a conversation always fit.
    if (!kept(CONVERSATION, freeze(turns))) keep(CONVERSATION, freeze(turns, true));
  },
  wipe: (): void => place().clear(),
};

type Place = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'clear'>;

/** Stands in for the tab's storage where the browser blocks it: then nothing outlives a reload. */
class Fleeting implements Place {
  readonly #values = new Map<string, string>();

  getItem = (name: string): string | null => this.#values.get(name) ?? null;
  setItem = (name: string, value: string): void => void this.#values.set(name, value);
  removeItem = (name: string): void => void this.#values.delete(name);
  clear = (): void => this.#values.clear();
}

const fleeting = new Fleeting();

/** The tab's storage, if this page may use it now. */
function place(): Place {
  try {
    // Some browsers refuse the object, others what it does.
    sessionStorage.getItem(KEY);
    return sessionStorage;
  } catch {
    return fleeting;
  }
}

function keep(name: string, value: string): void {
  if (!kept(name, value)) place().removeItem(name);
}

function kept(name: string, value: string): boolean {
  try {
    place().setItem(name, value);
    return true;
  } catch {
    return false;
  }
}
