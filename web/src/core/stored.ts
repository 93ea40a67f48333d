// A conversation as it is kept over a reload of the page.

import { type Answer, UNKNOWN, hasEnded } from './answer';
import type { Conversation, Phase, Turn } from './conversation';
import { fields, list, parsed, text } from './json';

/** `lean`: the texts of running answers are left out too, and will be asked for from their first event on. */
export function freeze(turns: Conversation, lean = false): string {
  return JSON.stringify(turns.map((turn) => ({ ...turn, answer: kept(turn.answer, lean) })));
}

/** Of what has ended the server has all: only the id is kept. What runs goes on after its last event. */
function kept(answer: Answer, lean: boolean): Answer {
  if (!lean && !hasEnded(answer)) return answer;
  return { ...UNKNOWN, id: answer.id };
}

/** The conversation that was kept; an empty one if the text is not of this version. */
export function thaw(kept: string | null): Conversation {
  return list(parsed(kept ?? '')).map(turn).filter((turn) => turn !== null);
}

function turn(json: unknown): Turn | null {
  const kept = fields(json);
  const [key, model, input] = [text(kept.key), text(kept.model), text(kept.input)];
  const phase = text(fields(kept.phase).name);
  const answer = fields(kept.answer);
  if (key === null || model === null || input === null || phase === null) return null;
  if (typeof answer.last !== 'number' || !Array.isArray(answer.items)) return null;
  return {
    key,
    model,
    input,
    previous: text(kept.previous),
    answer: kept.answer as Answer,
    phase: thawed(phase, kept.phase, text(answer.id)),
    stopping: kept.stopping === true,
    unstopped: null,
  };
}

/** What was refused with an id is there, and may be readable by now. */
function thawed(name: string, whole: unknown, id: string | null): Phase {
  if (name === 'refused') return id === null ? (whole as Phase) : { name: 'reading' };
  return { name: name === 'ended' || name === 'reading' ? 'reading' : 'asking' };
}
