import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { sends } from '../core/keys';
import { model, running, send, stop } from '../shell/session';

const field = { current: null as HTMLTextAreaElement | null };
/** Whether nothing is written. */
export const empty = signal(true);
/** Whether people write on the screen itself, where Enter is the only key that begins a line. */
const touch = matchMedia('(pointer: coarse)').matches;

export function focusComposer(): void {
  field.current?.focus();
}

/** Puts a text back that was not answered. */
export function fillComposer(text: string): void {
  if (field.current === null) return;
  field.current.value = text;
  empty.value = text.trim() === '';
  field.current.focus();
}

/** Where messages are written: Enter sends, Shift+Enter begins a new line; on the screen only the button sends. */
export function Composer() {
  const form = useRef<HTMLFormElement>(null);
  const going = running.value;
  useEffect(() => fillComposer(''), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const input = field.current?.value ?? '';
    if (running.value !== undefined || input.trim() === '' || model.value === '') return;
    send(input);
    fillComposer('');
  };
  const onKey = (event: KeyboardEvent) => {
    if (!sends(event, touch)) return;
    event.preventDefault();
    form.current?.requestSubmit();
  };
  return (
    <footer class="composer">
      <form ref={form} onSubmit={submit}>
        <label class="hidden" for="message">
          Message
        </label>
        <textarea
          id="message"
          ref={(element) => {
            field.current = element;
          }}
          rows={1}
          placeholder="Write a message"
          aria-describedby="keys"
          onKeyDown={onKey}
          onInput={(event) => (empty.value = event.currentTarget.value.trim() === '')}
        />
        {going === undefined ? (
          <button type="submit" class="button" aria-disabled={empty.value || model.value === ''}>
            Send
          </button>
        ) : (
          <button
            type="button"
            class="button stop"
            aria-disabled={going.stopping}
            // Who clicks twice to send does not mean to stop.
            onClick={(event) => event.detail < 2 && stop()}
          >
            {going.stopping ? 'Stopping' : 'Stop'}
          </button>
        )}
      </form>
      <p id="keys" class="note">
        {touch ? (
          'The button sends.'
        ) : (
          <>
            <kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> makes a new line, <kbd>Esc</kbd> stops.
          </>
        )}
      </p>
    </footer>
  );
}
