// How deeply a text in Markdown is nested, found out without parsing it: a parser that calls itself for each level dies
// of three thousand of them.

/** The deepest nesting that is parsed. Nobody reads a quote in a quote in a quote much deeper. */
const DEEPEST = 64;

/** A part of a text: Markdown, or text that is shown as it is since it is nested too deeply. */
export interface Piece {
  text: string;
  deep: boolean;
}

/** A fence of code, wherever it stands: what is between two of them is not nested. */
const FENCE = /^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)*(`{3,}|~{3,})/;

const SPACE = /[ \t]/;
const MARKS = /[*_~]+/g;

/** The quotes and lists that a line opens. */
function levelsOf(line: string): number {
  let at = 0;
  let spaces = 0;
  let levels = 0;
  let indent = 0;
  for (;;) {
    while (at < line.length && SPACE.test(line[at] ?? '')) {
      at += 1;
      spaces += 1;
    }
    const marker = /^(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]|$))/.exec(line.slice(at, at + 12));
    if (!marker) return levels === 0 ? 0 : levels + indent;
    if (levels === 0) indent = Math.floor(spaces / 2);
    levels += 1;
    at += marker[0].length;
  }
}

/** How many emphases of a paragraph are open at a time, at most: runs of marks before a word, less those after one. */
function emphasesOf(paragraph: string): number {
  let open = 0;
  let most = 0;
  for (const run of paragraph.matchAll(MARKS)) {
    const before = paragraph[run.index - 1] ?? ' ';
    const after = paragraph[run.index + run[0].length] ?? ' ';
    const levels = Math.ceil(run[0].length / 2);
    if (/\s/.test(before) && !/\s/.test(after)) open += levels;
    else if (!/\s/.test(before) && /\s/.test(after)) open = Math.max(0, open - levels);
    most = Math.max(most, open);
  }
  return most;
}

function isDeep(paragraph: string[]): boolean {
  return paragraph.some((line) => levelsOf(line) > DEEPEST) || emphasesOf(paragraph.join('\n')) > DEEPEST;
}

/** The paragraphs of a text, code included; each ends with its blank lines. All of them joined are the text. */
export function paragraphsOf(text: string): { lines: string[]; code: boolean }[] {
  const paragraphs: { lines: string[]; code: boolean }[] = [];
  let fence: string | null = null;
  let ended = true;
  for (const line of text.split('\n')) {
    const mark: string | undefined = FENCE.exec(line)?.[1];
    const inside: boolean = fence !== null;
    if (fence === null && mark) fence = mark;
    else if (fence !== null && mark && mark.startsWith(fence)) fence = null;
    const code = inside || fence !== null;
    const last = paragraphs.at(-1);
    const blank = line.trim() === '';
    if (last && last.code === code && (code || !ended || blank)) last.lines.push(line);
    else paragraphs.push({ lines: [line], code });
    ended = !code && blank;
  }
  return paragraphs;
}

/** A text in pieces: what can be parsed, with all that stands between, and what is nested too deeply. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  for (const { lines, code } of paragraphsOf(text)) {
    const deep = !code && isDeep(lines);
    const paragraph = lines.join('\n');
    const last = pieces.at(-1);
    if (last && last.deep === deep) last.text += `\n${paragraph}`;
    else pieces.push({ text: paragraph, deep });
  }
  return pieces;
}
