// The blocks of a text in Markdown. Whatever the text is, there are some.

import { Marked, type Token } from 'marked';
import { paragraphsOf, piecesOf } from './nesting';

/** A paragraph, a list, a table: what stands by itself. What can't be parsed is the text that it is. */
export type Block = { kind: 'parsed'; token: Token; links: string } | { kind: 'plain'; text: string };

const marked = new Marked({ gfm: true });

/** The blocks of a text, or null where the parser fails at it. */
function parsed(text: string): Block[] | null {
  try {
    const tokens = marked.lexer(text);
    const links = JSON.stringify(tokens.links);
    const blocks = tokens.filter((token) => token.type !== 'space' && token.type !== 'def');
    return blocks.map((token) => ({ kind: 'parsed', token, links }));
  } catch {
    return null;
  }
}

function plain(text: string): Block[] {
  return text.trim() === '' ? [] : [{ kind: 'plain', text: text.replace(/^\n+|\s+$/g, '') }];
}

/** The blocks of a text. One that the parser fails at costs the others nothing but their addresses by name. */
export function blocksOf(text: string): Block[] {
  return piecesOf(text).flatMap((piece) => {
    if (piece.deep) return plain(piece.text);
    const whole = parsed(piece.text);
    if (whole) return whole;
    const paragraphs = paragraphsOf(piece.text).map((paragraph) => paragraph.lines.join('\n'));
    return paragraphs.flatMap((paragraph) => parsed(paragraph) ?? plain(paragraph));
  });
}
