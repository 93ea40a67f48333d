// JSON with line breaks, and every value written as it was.

/** The JSON, a line for each value. Numbers and strings stay as they were written, which parsing would not keep. */
export function indented(json: string): string {
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s"[\]{},:]+/g) ?? [];
  const written = tokens.map((token, index) => {
    const isEmpty = ['[', '{'].includes(tokens[index - 1] ?? '');
    switch (token) {
      case '{':
      case '[':
        depth += 1;
        return [']', '}'].includes(tokens[index + 1] ?? '') ? token : token + line();
      case '}':
      case ']':
        depth -= 1;
        return isEmpty ? token : line() + token;
      case ',':
        return token + line();
      case ':':
        return ': ';
      default:
        return token;
    }
  });
  return written.join('');
}
