import { expect, test } from 'vitest';
import { type Block, blocksOf } from '../src/core/blocks';
import { paragraphsOf, piecesOf } from '../src/core/nesting';

const kinds = (text: string) =>
  blocksOf(text).map((block: Block) => (block.kind === 'plain' ? 'plain' : block.token.type));

const DEEP = {
  quotes: '>'.repeat(3000),
  'quotes with spaces': `${'> '.repeat(3000)}x`,
  'lists in one line': `${'- '.repeat(2000)}x`,
  'numbers in one line': `${'1. '.repeat(3000)}x`,
  'lists by indentation': Array.from({ length: 300 }, (_, level) => `${' '.repeat(2 * level)}- x`).join('\n'),
  'a run of stars': `${'*'.repeat(3000)}a${'*'.repeat(3000)}`,
  'emphases in emphases': `${'**a '.repeat(3000)}${'b** '.repeat(3000)}`,
};

test('what is nested too deeply is shown as the text that it is, and nothing else is', () => {
  for (const [name, deep] of Object.entries(DEEP)) {
    expect(kinds(`# Before\n\n${deep}\n\nAfter.`), name).toEqual(['heading', 'plain', 'paragraph']);
    const text = blocksOf(deep).map((block) => (block.kind === 'plain' ? block.text : ''));
    expect(text.join('').trimEnd(), name).toBe(deep.trimEnd());
  }
});

test('what the parser fails at is shown as the text that it is', () => {
  // The fence is none, since it is code by its indentation: the quotes are not seen to be deep.
  const bad = `    \`\`\`\n\n${'>'.repeat(3000)}\n\nAfter.`;
  expect(kinds(`Before.\n\n${bad}`)).toContain('plain');
  expect(kinds(`Before.\n\n${bad}`)[0]).toBe('paragraph');
});

test('what is not nested is parsed as it is', () => {
  for (const text of [
    `${'> '.repeat(20)}x`,
    `${'- '.repeat(20)}x`,
    '**bold** '.repeat(500),
    'a_b_c '.repeat(500),
    '2 * 3 * 4 '.repeat(500),
    '* '.repeat(3),
    '-'.repeat(500),
    '*'.repeat(60),
    `| ${'a | '.repeat(100)}\n|${'-|'.repeat(100)}`,
  ]) {
    expect(kinds(text), text.slice(0, 20)).not.toContain('plain');
  }
  const code = `\`\`\`\n${'> '.repeat(500)}\n\n${'- '.repeat(500)}x\n\`\`\`\n\nAfter.`;
  expect(kinds(code)).toEqual(['code', 'paragraph']);
});

test('a list stays one across its blank lines, and an address by name is found', () => {
  expect(kinds('- a\n\n- b\n\n  c\n\n- d')).toEqual(['list']);
  const [block] = blocksOf('See [it][x].\n\n[x]: https://example.com/\n');
  expect(block?.kind === 'parsed' && block.links).toContain('https://example.com/');
});

test('pieces and paragraphs joined are the text', () => {
  for (const text of ['', '\n', 'a\n\n\nb', '\n\na\n', `a\n\n${'>'.repeat(100)}\n\nb\n`, '```\n\na\n', 'a\n```\nb\n```\nc']) {
    expect(piecesOf(text).map((piece) => piece.text).join('\n')).toBe(text);
    expect(paragraphsOf(text).map((paragraph) => paragraph.lines.join('\n')).join('\n')).toBe(text);
  }
});
