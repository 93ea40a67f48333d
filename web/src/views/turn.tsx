import { useMemo } from 'preact/hooks';
import type { Turn } from '../core/conversation';
import type { Item, Part } from '../core/item';
import { Colophon } from './colophon';
import { Markdown } from './markdown';
import { Responsory, Versicle } from './signs';

/** One turn: what was said, and the answer. Made anew only when it changes. */
export function TurnView({ turn }: { turn: Turn }) {
  return useMemo(() => <Verses turn={turn} />, [turn]);
}

function Verses({ turn }: { turn: Turn }) {
  return (
    <li class="turn">
      <section class="verse asked" aria-label="You said">
        <Versicle />
        <div class="said">{turn.input}</div>
      </section>
      <section class="verse answered" aria-label={`${turn.model} answered`}>
        <Responsory />
        <div class="answer">
          {turn.answer.items.map((item, index) => (
            <ItemView key={index} item={item} />
          ))}
          <Colophon turn={turn} />
        </div>
      </section>
    </li>
  );
}

function ItemView({ item }: { item: Item }) {
  switch (item.type) {
    case 'message':
      return (
        <>
          {item.parts.map((part, index) => (
            <PartView key={index} part={part} />
          ))}
        </>
      );
    case 'reasoning':
      return <Thought item={item} />;
    case 'function_call':
      return (
        <div class="aside">
          <span class="label">Function call</span>
          <pre tabIndex={0}>
            <code>{`${item.name}(${item.arguments})`}</code>
          </pre>
        </div>
      );
    case 'other':
      return (
        <div class="aside">
          <span class="label">{item.name}</span> This page can’t show such an item; its events have it all.
        </div>
      );
  }
}

function PartView({ part }: { part: Part }) {
  if (part.kind === 'text') return <Markdown text={part.text} />;
  return (
    <div class="aside refused">
      <span class="label">The model refused</span>
      <Markdown text={part.text} />
    </div>
  );
}

function Thought({ item }: { item: Item & { type: 'reasoning' } }) {
  const told = item.content.length > 0 ? item.content : item.summary;
  const text = told.join('\n\n');
  if (text === '') return null;
  return (
    <details class="thought">
      <summary>{item.content.length > 0 ? 'Reasoning' : 'Summary of the reasoning'}</summary>
      <Markdown text={text} />
    </details>
  );
}
