// How a response ended, in words.

import type { Answer } from './answer';

export interface Ending {
  readonly tone: 'good' | 'cut' | 'bad';
  readonly word: string;
  readonly detail: string;
}

const REASONS: Readonly<Record<string, string>> = {
  max_output_tokens: 'It reached its limit of output.',
  content_filter: 'The provider’s filter cut it.',
  client_disconnected: 'Nobody was connected for too long.',
};

/** The ending of a response; none while it runs. */
export function ending(answer: Answer): Ending | null {
  switch (answer.status) {
    case 'queued':
    case 'in_progress':
      return null;
    case 'completed':
      return { tone: 'good', word: 'Completed', detail: '' };
    case 'cancelled':
      return { tone: 'cut', word: 'Stopped', detail: 'What had come by then is kept.' };
    case 'incomplete': {
      const reason = answer.reason ?? 'unknown';
      return { tone: 'cut', word: 'Incomplete', detail: REASONS[reason] ?? `The reason is ${reason}.` };
    }
    case 'failed':
      return { tone: 'bad', word: 'Failed', detail: answer.error?.message ?? '' };
  }
}
