import { choose, model, models } from '../shell/session';

const OTHER = '\u0000other';

/** The model that the next message goes to: one of the list, or any other name that the server may pass on. */
export function ModelChoice() {
  const names = models.value;
  const chosen = model.value;
  const listed = names.includes(chosen) || chosen === '' ? names : [chosen, ...names];
  const change = (select: HTMLSelectElement) => {
    if (select.value !== OTHER) return choose(select.value);
    const name = prompt('The name of the model:', '')?.trim() ?? '';
    if (name !== '') choose(name);
    select.value = model.value;
  };
  return (
    <label class="model">
      <span class="hidden">Model</span>
      <select value={chosen} onChange={(event) => change(event.currentTarget)}>
        {chosen === '' && (
          <option value="" disabled>
            Choose a model
          </option>
        )}
        {listed.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
        <option value={OTHER}>Another…</option>
      </select>
    </label>
  );
}
