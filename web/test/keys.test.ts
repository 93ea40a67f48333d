import { expect, test } from 'vitest';
import { sends } from '../src/core/keys';

const enter = { key: 'Enter', keyCode: 13, shiftKey: false, isComposing: false };

test('Enter sends where there is a keyboard, unless it means a line or a word', () => {
  expect(sends(enter, false)).toBe(true);
  expect(sends(enter, true)).toBe(false);
  for (const change of [{ key: 'a', keyCode: 65 }, { shiftKey: true }, { isComposing: true }, { keyCode: 229 }]) {
    expect(sends({ ...enter, ...change }, false), JSON.stringify(change)).toBe(false);
  }
});
