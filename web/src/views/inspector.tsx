import { useEffect, useRef, useState } from 'preact/hooks';
import { indented } from '../core/indent';
import { text } from '../core/json';
import { NOTHING, type Recorded, type Replay, replay } from '../shell/replay';
import { api, inspected } from '../shell/session';
import { CopyButton } from './copy';

/** So many events are shown at a time. */
const PAGE = 200;

/** The events of a response as they were: number, type, and the JSON of those that are opened. */
export function Inspector({ id }: { id: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [seen, show] = useState<Replay>(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    dialog.current?.showModal();
    if (api.value !== null) void replay(api.value, id, show, stop.signal);
    return () => stop.abort();
  }, []);
  return (
    <dialog class="inspector" ref={dialog} aria-labelledby="inspector-title" onClose={() => (inspected.value = null)}>
      <header class="inspector-head">
        <h2 id="inspector-title">Events</h2>
        <button type="button" class="text-button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </header>
      <Facts id={id} seen={seen} />
      <Events seen={seen} />
    </dialog>
  );
}

const STATES: Readonly<Record<Replay['state'], string>> = {
  loading: 'being read',
  lost: 'connection lost, trying again',
  busy: 'server busy, trying again',
  whole: 'whole',
  refused: 'refused',
};

function Facts({ id, seen }: { id: string; seen: Replay }) {
  const { answer, response, records, state, problem } = seen;
  const created = typeof response.created_at === 'number' ? new Date(response.created_at * 1000).toLocaleString() : '';
  const usage = answer.usage;
  const facts: [string, string][] = [
    ['Status', answer.status + (answer.reason === null ? '' : `, ${answer.reason}`)],
    ['Error', answer.error === null ? '' : `${answer.error.code}: ${answer.error.message}`],
    ['Model', text(response.model) ?? ''],
    ['Created', created],
    ['Goes on from', text(response.previous_response_id) ?? ''],
    ['Tokens', usage === null ? '' : `${usage.input} in, ${usage.output} out, ${usage.reasoning} of them reasoning`],
    ['Events', `${records.length}, ${state === 'refused' ? problem : STATES[state]}`],
  ];
  return (
    <dl class="facts">
      <dt>Response</dt>
      <dd>
        <code>{id}</code> <CopyButton label="Copy" text={() => id} />
      </dd>
      {facts
        .filter(([, value]) => value !== '')
        .map(([name, value]) => (
          <div key={name} class="fact">
            <dt>{name}</dt>
            <dd>{value.startsWith('resp_') ? <code>{value}</code> : value}</dd>
          </div>
        ))}
    </dl>
  );
}

function Events({ seen }: { seen: Replay }) {
  const [type, setType] = useState('');
  const [page, setPage] = useState(0);
  const types = [...new Set(seen.records.map((record) => record.type))];
  const matching = type === '' ? seen.records : seen.records.filter((record) => record.type === type);
  const last = Math.max(0, Math.ceil(matching.length / PAGE) - 1);
  const begin = Math.min(page, last) * PAGE;
  const shown = matching.slice(begin, begin + PAGE);
  return (
    <>
      <div class="filter">
        <span class="types">
          <label for="type">Type</label>{' '}
          <select
            id="type"
            value={type}
            onChange={(event) => {
              setType(event.currentTarget.value);
              setPage(0);
            }}
          >
            <option value="">all</option>
            {types.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </span>
        {last > 0 && (
          <span class="pages">
            <button type="button" class="text-button" disabled={page === 0} onClick={() => setPage(page - 1)}>
              Earlier
            </button>
            {` ${begin + 1} to ${begin + shown.length} of ${matching.length} `}
            <button type="button" class="text-button" disabled={page >= last} onClick={() => setPage(page + 1)}>
              Later
            </button>
          </span>
        )}
      </div>
      <div class="events">
        {shown.map((record) => (
          <EventRow key={record.number} record={record} />
        ))}
      </div>
    </>
  );
}

function EventRow({ record }: { record: Recorded }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="event" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="number">{record.number}</span>
        <span class="type">{record.type}</span>
      </summary>
      {open && (
        <pre tabIndex={0}>
          <code>{indented(record.data)}</code>
        </pre>
      )}
    </details>
  );
}
