import { ending } from '../core/ending';
import type { Turn } from '../core/conversation';
import { turns } from '../shell/session';

/** Says to screen readers what happens, a few words at each change, and never the answer piece by piece. */
export function Announcer() {
  const last = turns.value.at(-1);
  return (
    <p class="hidden" role="status">
      {last === undefined ? '' : news(last)}
    </p>
  );
}

function news(turn: Turn): string {
  if (turn.stopping) return 'Stopping.';
  switch (turn.phase.name) {
    case 'asking':
      return turn.answer.id === null ? 'Sent.' : 'Connecting again.';
    case 'open':
      return turn.unstopped === null ? 'Answering.' : `It could not be stopped. ${turn.unstopped.message}`;
    case 'waiting':
      return turn.phase.why === 'busy' ? 'The server is busy. Trying again.' : 'The connection is lost. Trying again.';
    case 'reading':
      return '';
    case 'refused':
      return `Not answered. ${turn.phase.problem.message}`;
    case 'ended': {
      const end = ending(turn.answer);
      return end === null ? '' : `Answer ${end.word.toLowerCase()}. ${end.detail}`;
    }
  }
}
