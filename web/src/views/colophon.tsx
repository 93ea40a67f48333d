import { useEffect, useState } from 'preact/hooks';
import type { Turn } from '../core/conversation';
import { ending } from '../core/ending';
import { plainText } from '../core/item';
import { again, inspected, takeBack, tryNow, turns } from '../shell/session';
import { empty, fillComposer } from './composer';
import { CopyButton } from './copy';
import { Singing } from './signs';

/** What stands below an answer: how it is going or how it ended, and what can be done with it. */
export function Colophon({ turn }: { turn: Turn }) {
  const { answer } = turn;
  const id = answer.id;
  return (
    <div class="colophon">
      <Standing turn={turn} />
      <div class="deeds">
        {plainText(answer.items) !== '' && <CopyButton label="Copy" text={() => plainText(answer.items)} />}
        {id !== null && (
          <button type="button" class="text-button" onClick={() => (inspected.value = id)}>
            Events
          </button>
        )}
      </div>
    </div>
  );
}

function Standing({ turn }: { turn: Turn }) {
  switch (turn.phase.name) {
    case 'asking':
      return <Going words={turn.stopping ? 'Stopping…' : turn.answer.id === null ? 'Sending…' : 'Connecting again…'} />;
    case 'open':
      return <Going words={turn.stopping ? 'Stopping…' : `Answering…${unstopped(turn)}`} />;
    case 'reading':
      return <Going words="Reading it again…" />;
    case 'waiting':
      return <Waiting turn={turn} why={turn.phase.why} until={turn.phase.until} />;
    case 'refused':
      return <Refused turn={turn} message={turn.phase.problem.message} code={turn.phase.problem.code} />;
    case 'ended':
      return <Ended turn={turn} />;
  }
}

function unstopped({ unstopped }: Turn): string {
  return unstopped === null ? '' : ` It could not be stopped: ${unstopped.message}`;
}

function Going({ words }: { words: string }) {
  return (
    <p class="standing">
      <Singing /> {words}
    </p>
  );
}

function Waiting({ turn, why, until }: { turn: Turn; why: 'lost' | 'busy'; until: number }) {
  const seconds = useSecondsTo(until);
  const busy = `The server is busy. Trying again in about ${seconds} s.`;
  const lost = turn.answer.id === null
    ? 'The connection is lost. Your message is sent again, and counts once.'
    : 'The connection is lost. What has come is safe, and the rest will follow.';
  return (
    <p class="standing lost">
      <span>{why === 'busy' ? busy : lost}</span>
      <button type="button" class="text-button" onClick={tryNow}>
        Try now
      </button>
    </p>
  );
}

/** How many seconds are left, counted down; never less than one. */
function useSecondsTo(until: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(1, Math.round((until - now) / 1000));
}

function Refused({ turn, message, code }: { turn: Turn; message: string; code: string }) {
  const isLast = turns.value.at(-1)?.key === turn.key;
  const edit = () => {
    takeBack(turn.key);
    fillComposer(turn.input);
  };
  return (
    <p class="standing bad">
      <span>
        <strong>{turn.answer.id === null ? 'Not answered.' : 'Not readable.'}</strong> {message} <code>{code}</code>
      </span>
      {(isLast || turn.answer.id !== null) && (
        <button type="button" class="text-button" onClick={() => again(turn.key)}>
          Try again
        </button>
      )}
      {isLast && turn.answer.id === null && empty.value && (
        <button type="button" class="text-button" onClick={edit}>
          Edit
        </button>
      )}
    </p>
  );
}

function Ended({ turn }: { turn: Turn }) {
  const { answer, model } = turn;
  const end = ending(answer);
  if (end === null) return null;
  return (
    <p class={`standing ${end.tone}`}>
      <span>
        <strong>{end.word}.</strong> {end.detail} {answer.error !== null && answer.status === 'failed' && <code>{answer.error.code}</code>}
      </span>
      <span class="figures">
        {model}
        {answer.usage !== null && ` · ${answer.usage.input} + ${answer.usage.output} tokens`}
      </span>
    </p>
  );
}
