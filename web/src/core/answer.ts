// One response as a fold over its events: the live stream, a resumed one and a replay all end up here.

import { type Item, readItem, readPart } from './item';
import { type Fields, count, fields, list, text } from './json';

export type Status = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled';

const STATUSES: readonly Status[] = ['queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled'];

export interface Usage {
  readonly input: number;
  readonly output: number;
  readonly reasoning: number;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** What is known of a response. */
export interface Answer {
  readonly id: string | null;
  /** The number of the last event that was folded; -1 before the first. */
  readonly last: number;
  readonly status: Status;
  readonly items: readonly Item[];
  readonly usage: Usage | null;
  readonly error: Failure | null;
  /** Why it is incomplete. */
  readonly reason: string | null;
}

export const UNKNOWN: Answer = {
  id: null,
  last: -1,
  status: 'queued',
  items: [],
  usage: null,
  error: null,
  reason: null,
};

/** Whether nothing more will come. */
export function hasEnded(answer: Answer): boolean {
  return answer.status !== 'queued' && answer.status !== 'in_progress';
}

/** How an event stands to what was folded: the next one, an old one, or one after a hole. */
export function place(answer: Answer, event: Fields): 'next' | 'old' | 'hole' {
  const number = count(event.sequence_number);
  if (number === null || number <= answer.last) return 'old';
  return number === answer.last + 1 ? 'next' : 'hole';
}

/** The answer after this event. Only the next event changes anything, so none counts twice. */
export function fold(answer: Answer, event: Fields): Answer {
  if (place(answer, event) !== 'next') return answer;
  return { ...apply(answer, event), last: answer.last + 1 };
}

/** Whether this is a Response object at all, and not what somebody between here and the server says. */
export function isResponse(json: unknown): boolean {
  const response = fields(json);
  return text(response.id) !== null && STATUSES.some((known) => known === response.status);
}

/** What a Response object says, as of the event of that number. */
export function ofResponse(json: unknown, last: number): Answer {
  const response = fields(json);
  const usage = fields(response.usage);
  const error = fields(response.error);
  const status = STATUSES.find((known) => known === response.status) ?? 'in_progress';
  const [input, output] = [count(usage.input_tokens), count(usage.output_tokens)];
  const reasoning = count(fields(usage.output_tokens_details).reasoning_tokens) ?? 0;
  return {
    id: text(response.id),
    last,
    status,
    items: list(response.output).map(readItem),
    usage: input === null || output === null ? null : { input, output, reasoning },
    error: response.error ? { code: text(error.code) ?? '', message: text(error.message) ?? '' } : null,
    reason: text(fields(response.incomplete_details).reason),
  };
}

function apply(answer: Answer, event: Fields): Answer {
  switch (event.type) {
    case 'response.created':
    case 'response.queued':
    case 'response.in_progress':
    case 'response.completed':
    case 'response.incomplete':
    case 'response.failed':
      return ofResponse(event.response, answer.last);
    default: {
      const index = count(event.output_index);
      if (index === null) return answer;
      const item = changed(answer.items[index], event);
      return item === undefined ? answer : { ...answer, items: put(answer.items, index, item) };
    }
  }
}

/** The item after an event that concerns it. */
function changed(item: Item | undefined, event: Fields): Item | undefined {
  switch (event.type) {
    case 'response.output_item.added':
    case 'response.output_item.done':
      return readItem(event.item);
    default:
  }
  switch (item?.type) {
    case 'message':
      return message(item, event);
    case 'reasoning':
      return reasoning(item, event);
    case 'function_call':
      return call(item, event);
    default:
      return item;
  }
}

function message(item: Item & { type: 'message' }, event: Fields): Item {
  const index = count(event.content_index) ?? 0;
  const before = item.parts[index]?.text ?? '';
  const part = (kind: 'text' | 'refusal', said: string): Item => ({
    ...item,
    parts: put(item.parts, index, { kind, text: said }),
  });
  switch (event.type) {
    case 'response.content_part.added':
    case 'response.content_part.done':
      return { ...item, parts: put(item.parts, index, readPart(event.part)) };
    case 'response.output_text.delta':
      return part('text', before + (text(event.delta) ?? ''));
    case 'response.output_text.done':
      return part('text', text(event.text) ?? before);
    case 'response.refusal.delta':
      return part('refusal', before + (text(event.delta) ?? ''));
    case 'response.refusal.done':
      return part('refusal', text(event.refusal) ?? before);
    default:
      return item;
  }
}

function reasoning(item: Item & { type: 'reasoning' }, event: Fields): Item {
  const [inSummary, inContent] = [count(event.summary_index) ?? 0, count(event.content_index) ?? 0];
  const summary = (said: string): Item => ({ ...item, summary: put(item.summary, inSummary, said) });
  const content = (said: string): Item => ({ ...item, content: put(item.content, inContent, said) });
  const [summed, thought] = [item.summary[inSummary] ?? '', item.content[inContent] ?? ''];
  switch (event.type) {
    case 'response.reasoning_summary_part.added':
      return summary(summed);
    case 'response.content_part.added':
      return content(thought);
    case 'response.reasoning_summary_text.delta':
      return summary(summed + (text(event.delta) ?? ''));
    case 'response.reasoning_summary_text.done':
      return summary(text(event.text) ?? summed);
    case 'response.reasoning_text.delta':
      return content(thought + (text(event.delta) ?? ''));
    case 'response.reasoning_text.done':
      return content(text(event.text) ?? thought);
    default:
      return item;
  }
}

function call(item: Item & { type: 'function_call' }, event: Fields): Item {
  switch (event.type) {
    case 'response.function_call_arguments.delta':
      return { ...item, arguments: item.arguments + (text(event.delta) ?? '') };
    case 'response.function_call_arguments.done':
      return { ...item, arguments: text(event.arguments) ?? item.arguments };
    default:
      return item;
  }
}

/** The list with this value at that place, which is in it or just after its end. */
function put<T>(values: readonly T[], index: number, value: T): readonly T[] {
  if (index > values.length) return values;
  return [...values.slice(0, index), value, ...values.slice(index + 1)];
}
