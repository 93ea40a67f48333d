// What outlives a reload of this tab, and nothing else.

import { type Conversation } from '../core/conversation';
import { freeze, thaw } from '../core/stored';

const [KEY, MODEL, CONVERSATION] = ['antiphon.key', 'antiphon.model', 'antiphon.conversation'];

export const memory = {
  key: (): string | null => sessionStorage.getItem(KEY),
  keepKey: (key: string): void => keep(KEY, key),
  model: (): string | null => sessionStorage.getItem(MODEL),
  keepModel: (model: string): void => keep(MODEL, model),
  conversation: (): Conversation => thaw(sessionStorage.getItem(CONVERSATION)),
  keepConversation(turns: Conversation): void {
    // A tab's storage has room for some megabytes; the ids of a conversation always fit.
    if (!kept(CONVERSATION, freeze(turns))) keep(CONVERSATION, freeze(turns, true));
  },
  wipe: (): void => sessionStorage.clear(),
};

function keep(name: string, value: string): void {
  if (!kept(name, value)) sessionStorage.removeItem(name);
}

function kept(name: string, value: string): boolean {
  try {
    sessionStorage.setItem(name, value);
    return true;
  } catch {
    return false;
  }
}
