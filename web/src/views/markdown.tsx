// Markdown as elements: parsed, then sanitized, each time.

import DOMPurify from 'dompurify';
import { Marked, type Token, type Tokens } from 'marked';
import { useMemo } from 'preact/hooks';
import { blocksOf } from '../core/blocks';

/** Raw HTML of a model is shown as the text that it is, but for a few tags that tables and formulas need. */
const HARMLESS = /^<(?:br\s*\/?|\/?(?:sub|sup|kbd|mark))>$/i;

const TAGS = [
  'p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'strong', 'em', 'del', 'sub', 'sup', 'kbd', 'mark', 'a', 'ul',
  'ol', 'li', 'blockquote', 'pre', 'code', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'div', 'span', 'button',
];

function escaped(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (sign) => names[sign] ?? sign);
}

const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text, block }: Tokens.HTML | Tokens.Tag) => {
      if (!block && HARMLESS.test(text)) return text;
      return block ? `<p>${escaped(text.trim())}</p>` : escaped(text);
    },
    // Nothing is loaded from anywhere: a picture is a link to itself.
    image: ({ href, text }: Tokens.Image) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    checkbox: ({ checked }: Tokens.Checkbox) => (checked ? '☑ ' : '☐ '),
    code: ({ text, lang }: Tokens.Code) => {
      const name = escaped((lang ?? '').split(/\s/)[0] ?? '');
      const bar = `<div class="code-bar"><span>${name}</span><button type="button" class="copy">Copy</button></div>`;
      return `<div class="code">${bar}<pre tabindex="0"><code>${escaped(text)}</code></pre></div>`;
    },
    // A table scrolls by itself where it is too wide.
    table(token: Tokens.Table) {
      const row = (cells: Tokens.TableCell[]) => `<tr>${cells.map((cell) => this.tablecell(cell)).join('')}</tr>`;
      const body = token.rows.map(row).join('');
      return `<div class="wide" tabindex="0"><table><thead>${row(token.header)}</thead><tbody>${body}</tbody></table></div>`;
    },
  },
});

DOMPurify.setConfig({
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ['href', 'class', 'type', 'tabindex', 'align', 'start', 'colspan', 'rowspan', 'target', 'rel'],
  // What is no address is not held against the rule for addresses.
  ADD_URI_SAFE_ATTR: ['type', 'tabindex', 'align', 'start', 'colspan', 'rowspan', 'target', 'rel'],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_TRUSTED_TYPE: true,
});

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName !== 'A' || !node.hasAttribute('href')) return;
  node.setAttribute('target', '_blank');
  node.setAttribute('rel', 'noopener noreferrer nofollow');
});

/** The markup of a block, or null where it can't be made. */
function markup(token: Token) {
  try {
    return DOMPurify.sanitize(marked.parser([token]));
  } catch {
    return null;
  }
}

/** A block that is parsed, made anew only when it changes. */
function ParsedBlock({ token, links }: { token: Token; links: string }) {
  // The token is a function of its text and of what links by name lead to.
  const html = useMemo(() => markup(token), [token.raw, links]);
  if (html === null) return <PlainBlock text={token.raw} />;
  return <div class="block" dangerouslySetInnerHTML={{ __html: html as unknown as string }} />;
}

/** What can't be shown as Markdown. */
function PlainBlock({ text }: { text: string }) {
  return <div class="block plain">{text}</div>;
}

/** A text in Markdown. */
export function Markdown({ text }: { text: string }) {
  return (
    <div class="markdown">
      {blocksOf(text).map((block, index) =>
        block.kind === 'plain' ? (
          <PlainBlock key={index} text={block.text} />
        ) : (
          <ParsedBlock key={index} token={block.token} links={block.links} />
        ),
      )}
    </div>
  );
}
