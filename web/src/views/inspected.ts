import { signal } from '@preact/signals';

/** The response whose events are looked at. */
export const inspected = signal<string | null>(null);
