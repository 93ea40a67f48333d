import { expect, test } from 'vitest';
import { indented } from '../src/core/indent';

test('JSON is laid out as usual', () => {
  for (const value of [{}, [], { a: [], b: {}, c: [1, [2, { d: null }]], 'e:{,}': '"\\ ]}:, ä' }, 'text', 5, true]) {
    expect(indented(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
  }
});

test('numbers and escapes stay as they were written', () => {
  expect(indented('{"a":1.0,"b":1e400,"c":12345678901234567890,"d":"\\u00e4\\/"}')).toBe(
    '{\n  "a": 1.0,\n  "b": 1e400,\n  "c": 12345678901234567890,\n  "d": "\\u00e4\\/"\n}',
  );
});

test('a bracket in a string is text', () => {
  expect(indented('["[","]"]')).toBe('[\n  "[",\n  "]"\n]');
});
