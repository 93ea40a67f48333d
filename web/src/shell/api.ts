// The server's API as this page uses it. The key is in one header and nowhere else.

import { type Turn, requestBody } from '../core/conversation';
import { fields, list, parsed, text } from '../core/json';
import { type Verdict, judge } from '../core/retry';
import { type Frame, FrameReader } from '../core/sse';

/** A stream without a byte for so long counts as lost: the server sends comments at least every 30 s. */
const SILENCE = 45_000;

/** What came of a request: an answer, or why there is none. */
export type Reply = { readonly ok: true; readonly response: Response } | { readonly ok: false; readonly verdict: Verdict };

/** Whether a key can be written into a header at all. */
export function isKey(key: string): boolean {
  return /^[\x21-\x7e]+$/.test(key);
}

/** Speaks to the server with one key. What it promises rejects where the server can't be reached. */
export class Api {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  /** The names of the models. */
  async models(signal: AbortSignal): Promise<{ ok: true; names: string[] } | { ok: false; verdict: Verdict }> {
    const reply = await this.#ask('v1/models', { signal });
    if (!reply.ok) return reply;
    const models = list(fields(parsed(await reply.response.text())).data);
    return { ok: true, names: models.map((model) => text(fields(model).id)).filter((id) => id !== null) };
  }

  /** Asks for the answer to a turn, as a stream. Repeated, it is the same response. */
  create(turn: Turn, signal: AbortSignal): Promise<Reply> {
    const headers = {
      'content-type': 'application/json',
      'idempotency-key': turn.key,
      // It is read again after whatever happens to this page, and stopped by its button.
      'antiphon-disconnect': 'continue',
    };
    return this.#ask('v1/responses', { method: 'POST', headers, body: requestBody(turn), signal });
  }

  /** The events of a response after that number, from the first one on if it is -1. */
  events(id: string, after: number, signal: AbortSignal): Promise<Reply> {
    const from = after < 0 ? '' : `&starting_after=${after}`;
    return this.#ask(`v1/responses/${encodeURIComponent(id)}?stream=true${from}`, { signal });
  }

  /** The response as of now. */
  read(id: string, signal: AbortSignal): Promise<Reply> {
    return this.#ask(`v1/responses/${encodeURIComponent(id)}`, { signal });
  }

  /** Cancels a response; goes on when the page is left. */
  cancel(id: string): Promise<Reply> {
    return this.#ask(`v1/responses/${encodeURIComponent(id)}/cancel`, { method: 'POST', keepalive: true });
  }

  async #ask(path: string, init: RequestInit): Promise<Reply> {
    const headers = { ...init.headers, authorization: `Bearer ${this.#key}` };
    const response = await fetch(path, { ...init, headers, cache: 'no-store', credentials: 'omit', redirect: 'error' });
    if (response.ok) return { ok: true, response };
    const header = (name: string) => response.headers.get(name);
    return { ok: false, verdict: judge(response.status, header, await response.text(), Date.now()) };
  }
}

/** The frames of a streamed answer, until its end. Rejects where the connection is lost, or silent for too long. */
export async function* frames(response: Response): AsyncGenerator<Frame> {
  if (response.body === null) return;
  const [reader, sse] = [response.body.getReader(), new FrameReader()];
  try {
    for (;;) {
      const { done, value } = await heard(reader);
      if (done) return;
      yield* sse.push(value);
    }
  } finally {
    // Closes the connection where nobody reads on; of one that is lost there is nothing to close.
    reader.cancel().catch(() => undefined);
  }
}

/** The next bytes, unless they keep us waiting for too long. */
async function heard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the stream is silent')), SILENCE);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}
