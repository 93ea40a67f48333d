import { useEffect, useRef, useState } from 'preact/hooks';
import { refusal, signIn } from '../shell/session';
import { Staff } from './signs';

/** Where a key is asked for. The field is the only place of the page that ever holds it. */
export function SignIn() {
  const field = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => field.current?.focus(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy || field.current === null) return;
    setBusy(true);
    const entered = await signIn(field.current.value.trim());
    setBusy(false);
    if (!entered) field.current?.select();
  };
  const refused = refusal.value !== '';
  return (
    <main class="door">
      <form class="door-form" onSubmit={(event) => void submit(event)} noValidate>
        <Staff />
        <h1>Antiphon</h1>
        <p class="lead">A line is sung, and a line answers.</p>
        <label for="key">API key</label>
        <div class="key-row">
          <input
            id="key"
            ref={field}
            type="password"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            placeholder="ak_…"
            aria-invalid={refused}
            aria-describedby="key-note key-refusal"
          />
          <button type="submit" class="button" aria-disabled={busy}>
            Sign in
          </button>
        </div>
        <p id="key-refusal" class="refusal" role="alert">
          {refusal.value}
        </p>
        <p id="key-note" class="note">
          The server printed one at its first start; <code>antiphon keys create</code> makes more. It stays in this tab
          until you sign out or close it.
        </p>
        <p class="note licences">
          <a href="licenses.md">Licences of this page</a>
        </p>
      </form>
    </main>
  );
}
