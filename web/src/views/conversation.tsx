import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { signal } from '@preact/signals';
import { running, turns } from '../shell/session';
import { onCopyCode } from './copy';
import { Responsory, Versicle } from './signs';
import { TurnView } from './turn';

/** So close to the end, in pixels, counts as being there. */
const NEAR = 48;

/** Whether the end of the conversation is in view. Only then does the page follow what comes. */
const atEnd = signal(true);

/** Everything that was said. */
export function Conversation() {
  const place = useRef<HTMLElement>(null);
  const toEnd = () => place.current?.scrollTo({ top: place.current.scrollHeight });
  const look = () => {
    const { scrollTop, clientHeight, scrollHeight } = place.current ?? document.documentElement;
    atEnd.value = scrollHeight - scrollTop - clientHeight < NEAR;
  };
  const all = turns.value;
  useLayoutEffect(() => {
    if (atEnd.value) toEnd();
  }, [all]);
  useEffect(() => {
    atEnd.value = true;
    toEnd();
  }, [all.length]);
  return (
    <>
      <main class="choir" ref={place} tabIndex={0} aria-label="Conversation" onScroll={look} onClick={onCopyCode}>
        {all.length === 0 ? <Empty /> : <ol class="turns">{all.map((turn) => <TurnView key={turn.key} turn={turn} />)}</ol>}
      </main>
      <div class="to-end">
        {!atEnd.value && (
          <button type="button" class="button small" onClick={toEnd}>
            {running.value ? 'Follow the answer' : 'To the end'}
          </button>
        )}
      </div>
    </>
  );
}

function Empty() {
  return (
    <div class="empty">
      <div class="verse">
        <Versicle />
        <p class="said">Say something.</p>
      </div>
      <div class="verse">
        <Responsory />
        <p class="lead">
          The server keeps every answer. Lose the connection, or reload this page, while one is on its way: nothing of
          it is missed.
        </p>
      </div>
    </div>
  );
}
