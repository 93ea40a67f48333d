// Copying.

import { useState } from 'preact/hooks';

/** How long a button says that it has copied, in milliseconds. */
const SAID = 1_500;

/** Puts a text on the clipboard. False where the browser does not allow that. */
export async function copy(text: string): Promise<boolean> {
  try {
    // There only on pages that are served over TLS or from this machine.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A button that copies a text. */
export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const [said, say] = useState(label);
  const act = async () => {
    say((await copy(text())) ? 'Copied' : 'Not allowed here');
    setTimeout(() => say(label), SAID);
  };
  return (
    <button type="button" class="text-button" onClick={() => void act()}>
      {said}
    </button>
  );
}

/** Serves the copy buttons of code blocks, which are no components. */
export function onCopyCode(event: MouseEvent): void {
  const button = event.target instanceof Element ? event.target.closest('button.copy') : null;
  const code = button?.closest('.code')?.querySelector('code');
  if (!(button instanceof HTMLButtonElement) || !code) return;
  void copy(code.textContent ?? '').then((copied) => {
    if (!copied) getSelection()?.selectAllChildren(code);
    button.textContent = copied ? 'Copied' : 'Selected';
    setTimeout(() => (button.textContent = 'Copy'), SAID);
  });
}
