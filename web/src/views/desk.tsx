import { useEffect } from 'preact/hooks';
import { inspected, newConversation, running, signOut, stop, turns } from '../shell/session';
import { Announcer } from './announcer';
import { Composer, focusComposer } from './composer';
import { Conversation } from './conversation';
import { Inspector } from './inspector';
import { ModelChoice } from './model_choice';
import { Staff } from './signs';

/** The page of somebody who is signed in. */
export function Desk() {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // In a dialog the key closes that, and an input method ends its own business with it.
      if (event.key !== 'Escape' || event.isComposing || inspected.value !== null || !running.value) return;
      event.preventDefault();
      stop();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  const begin = () => {
    newConversation();
    focusComposer();
  };
  return (
    <div class="desk">
      <header class="bar">
        <h1 class="brand">
          <Staff />
          <span>Antiphon</span>
        </h1>
        <div class="tools">
          <ModelChoice />
          <button type="button" class="text-button" disabled={turns.value.length === 0} onClick={begin}>
            New
            <span class="hidden"> conversation</span>
          </button>
          <button type="button" class="text-button" onClick={signOut}>
            Sign out
          </button>
        </div>
      </header>
      <Conversation />
      <Composer />
      <Announcer />
      {inspected.value !== null && <Inspector key={inspected.value} id={inspected.value} />}
    </div>
  );
}
