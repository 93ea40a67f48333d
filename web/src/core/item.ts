// What a response put out, as far as people look at it.

import { fields, list, text } from './json';

/** A piece of a message. */
export interface Part {
  readonly kind: 'text' | 'refusal';
  readonly text: string;
}

/** An item of a response's output. */
export type Item =
  | { readonly type: 'message'; readonly parts: readonly Part[] }
  | { readonly type: 'reasoning'; readonly summary: readonly string[]; readonly content: readonly string[] }
  | { readonly type: 'function_call'; readonly name: string; readonly arguments: string }
  | { readonly type: 'other'; readonly name: string };

/** An item as it stands in JSON. */
export function readItem(json: unknown): Item {
  const item = fields(json);
  const type = text(item.type) ?? 'unknown';
  switch (type) {
    case 'message':
      return { type, parts: list(item.content).map(readPart) };
    case 'reasoning':
      return { type, summary: texts(item.summary), content: texts(item.content) };
    case 'function_call':
      return { type, name: text(item.name) ?? '', arguments: text(item.arguments) ?? '' };
    default:
      return { type: 'other', name: type };
  }
}

/** A part of a message as it stands in JSON. */
export function readPart(json: unknown): Part {
  const part = fields(json);
  const refusal = text(part.refusal);
  return refusal === null ? { kind: 'text', text: text(part.text) ?? '' } : { kind: 'refusal', text: refusal };
}

function texts(parts: unknown): string[] {
  return list(parts).map((part) => text(fields(part).text) ?? '');
}

/** All text of a message or refusal. */
export function plainText(items: readonly Item[]): string {
  const messages = items.filter((item) => item.type === 'message');
  return messages.map((item) => item.parts.map((part) => part.text).join('')).join('\n\n');
}
