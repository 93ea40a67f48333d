import { expect, test } from 'vitest';
import { type Frame, FrameReader } from '../src/core/sse';

const STREAM =
  '\uFEFF: keep-alive\n\nevent: response.created\ndata: {"a":"ä€𝄞"}\n\n' +
  'event:no space\r\ndata:  two\r\ndata:lines\r\n\r\n: comment\r\n\r\n' +
  'id: 7\rretry: 10\rdata: carriage\r\rdata\n\nevent: named\n\ndata: after\n\ndata: [DONE]\n\ndata: not ended';

const FRAMES: Frame[] = [
  { event: 'response.created', data: '{"a":"ä€𝄞"}' },
  { event: 'no space', data: ' two\nlines' },
  { event: '', data: 'carriage' },
  { event: '', data: '' },
  { event: '', data: 'after' },
  { event: '', data: '[DONE]' },
];

function read(pieces: Uint8Array[]): Frame[] {
  const reader = new FrameReader();
  return pieces.flatMap((piece) => reader.push(piece));
}

test('a stream in one piece is read', () => {
  expect(read([new TextEncoder().encode(STREAM)])).toEqual(FRAMES);
});

test('a stream cut at any two bytes is read the same', () => {
  const bytes = new TextEncoder().encode(STREAM);
  const expected = JSON.stringify(FRAMES);
  for (let first = 0; first <= bytes.length; first += 1) {
    for (let second = first; second <= bytes.length; second += 1) {
      const pieces = [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)];
      if (JSON.stringify(read(pieces)) !== expected) expect(read(pieces), `${first}, ${second}`).toEqual(FRAMES);
    }
  }
});

test('a stream in single bytes is read the same', () => {
  const bytes = new TextEncoder().encode(STREAM);
  expect(read(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(FRAMES);
});

test('line ends of every kind mean the same', () => {
  const plain = 'event: e\ndata: 1\ndata: 2\n\ndata: 3\n\n';
  for (const end of ['\n', '\r\n', '\r']) {
    const frames = read([new TextEncoder().encode(plain.replaceAll('\n', end))]);
    // The last line may still turn out to end with a line feed, which changes nothing.
    expect(frames).toEqual([
      { event: 'e', data: '1\n2' },
      { event: '', data: '3' },
    ]);
  }
});
