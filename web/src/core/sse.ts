// Server-sent events from bytes, however they were cut on the way.

/** One event of a stream: its name, empty where it has none, and its data. */
export interface Frame {
  readonly event: string;
  readonly data: string;
}

/**
 * Reads frames out of the pieces of one stream. A frame without its blank line at the end of the stream is none.
 * Comments, and fields other than `event` and `data`, are left out.
 */
export class FrameReader {
  readonly #decoder = new TextDecoder();
  /** The line that has not ended. */
  #rest = '';
  /** A carriage return came last: a line feed that follows belongs to it. */
  #returned = false;
  #event = '';
  #data: string[] = [];

  /** The frames that these bytes complete. */
  push(bytes: Uint8Array): Frame[] {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return [];
    if (this.#returned && text.startsWith('\n')) text = text.slice(1);
    this.#returned = text === '' ? false : text.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? '';
    return lines.map((line) => this.#line(line)).filter((frame) => frame !== null);
  }

  #line(line: string): Frame | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    if (field === 'data') this.#data.push(value);
    return null;
  }

  #dispatch(): Frame | null {
    const frame = { event: this.#event, data: this.#data.join('\n') };
    const empty = this.#data.length === 0;
    this.#event = '';
    this.#data = [];
    return empty ? null : frame;
  }
}
