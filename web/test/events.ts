// The events of a response, as the server sends them.

export const ID = 'resp_1';

function response(status: string, more: object = {}) {
  return { id: ID, object: 'response', status, model: 'm', output: [], usage: null, error: null, ...more };
}

export const message = (text: string, status = 'completed') => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status,
  content: [{ type: 'output_text', text, annotations: [] }],
});

/** All events of an answer of these words, with their numbers. */
export function events(words: readonly string[], ending = 'completed', more: object = {}): Record<string, unknown>[] {
  const text = words.join('');
  const at = { item_id: 'msg_1', output_index: 0, content_index: 0 };
  const usage = { input_tokens: 3, output_tokens: 5, output_tokens_details: { reasoning_tokens: 2 } };
  const type = ending === 'cancelled' ? 'failed' : ending;
  const all: Record<string, unknown>[] = [
    { type: 'response.created', response: response('in_progress') },
    { type: 'response.in_progress', response: response('in_progress') },
    { type: 'response.output_item.added', output_index: 0, item: { ...message('', 'in_progress'), content: [] } },
    { type: 'response.content_part.added', ...at, part: { type: 'output_text', text: '' } },
    ...words.map((delta) => ({ type: 'response.output_text.delta', ...at, delta })),
    { type: 'response.output_text.done', ...at, text },
    { type: 'response.content_part.done', ...at, part: { type: 'output_text', text } },
    { type: 'response.output_item.done', output_index: 0, item: message(text) },
    { type: `response.${type}`, response: response(ending, { output: [message(text)], usage, ...more }) },
  ];
  return all.map((event, sequence_number) => ({ ...event, sequence_number }));
}

/** The bytes of a stream of these events. */
export function stream(all: readonly Record<string, unknown>[]): Uint8Array {
  const frames = all.map((event) => `event: ${String(event.type)}\ndata: ${JSON.stringify(event)}\n\n`);
  return new TextEncoder().encode(`: keep-alive\n\n${frames.join('')}data: [DONE]\n\n`);
}
