// What keys mean where messages are written.

/** What is known of a key that was pressed. */
export interface Pressed {
  readonly key: string;
  readonly keyCode: number;
  readonly shiftKey: boolean;
  readonly isComposing: boolean;
}

/** The code of a key that an input method has taken, also where `isComposing` is late. */
const TAKEN = 229;

/** Whether this key sends a message. `touch`: the keyboard is one on the screen, which has no other key for a line. */
export function sends(pressed: Pressed, touch: boolean): boolean {
  if (touch || pressed.key !== 'Enter' || pressed.shiftKey) return false;
  // Enter also picks a word of an input method.
  return !pressed.isComposing && pressed.keyCode !== TAKEN;
}
