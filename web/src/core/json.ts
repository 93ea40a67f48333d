// Looking into JSON of which nothing is known yet.

/** An object of JSON. */
export type Fields = Readonly<Record<string, unknown>>;

/** The value if it is an object, else one without fields. */
export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** The value if it is a list, else an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value if it is text, else none. */
export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** The value if it is a whole number that is not negative, else none. */
export function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** The JSON of a text; none if it is no JSON. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
