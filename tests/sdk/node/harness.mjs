// The real `openai` package for Node against a running server.
//
// `ANTIPHON_BASE_URL` is the server's address with its `/v1`, `ANTIPHON_API_KEY` a key of it. `ANTIPHON_SDK_NODE` is a
// folder in which `package.json` is installed, `ANTIPHON_SDK_PACKAGE` the major version to try, by its name there:
// `openai` or `openai-6`. The models that the server offers are told in ../python/conftest.py.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(`${setting('ANTIPHON_SDK_NODE')}/package.json`);
const chosen = setting('ANTIPHON_SDK_PACKAGE');

export const openai = require(chosen);
export const { zodResponsesFunction, zodTextFormat } = require(`${chosen}/helpers/zod`);
export const { z } = require('zod');

export const HELLO = 'Hello from the scripted provider.';
export const BRIEF = Array.from({ length: 20 }, (_, number) => `word${number} `).join('');
export const UNKNOWN = `resp_${'0'.repeat(32)}`;

const address = { baseURL: setting('ANTIPHON_BASE_URL'), apiKey: setting('ANTIPHON_API_KEY') };

/** A client that tries everything once, unless the options say otherwise. */
export function client(options = {}) {
  return new openai.OpenAI({ ...address, maxRetries: 0, timeout: 30_000, ...options });
}

/** A client that retries as the package does by default, and the list of requests that it sent. */
export function patient(options = {}) {
  const sent = [];
  const counted = (url, init) => {
    sent.push(url);
    return fetch(url, init);
  };
  return { patient: client({ fetch: counted, maxRetries: undefined, ...options }), sent };
}

/** What one of the package's errors says, of a request that must be refused with that class of it. */
export async function refused(kind, asked) {
  const error = await asked.then(() => assert.fail('it was not refused'), (error) => error);
  assert.ok(error instanceof kind, `${error?.constructor?.name}: ${error?.message}`);
  return error;
}

/** A stream that is read step by step, and what was read of it so far. */
export class Reading {
  constructor(stream) {
    this.stream = stream;
    this.iterator = stream[Symbol.asyncIterator]();
    this.events = [];
  }

  async next() {
    const { value, done } = await this.iterator.next();
    if (!done) this.events.push(value);
    return value;
  }

  async take(count) {
    for (let left = count; left > 0; left -= 1) assert.ok(await this.next(), 'the stream ended early');
    return this.events.slice(-count);
  }

  async until(type) {
    while ((await this.next())?.type !== type) assert.ok(this.events.at(-1), `no ${type}`);
  }

  /** Everything up to the end. */
  async whole() {
    while (await this.next());
    return this.events;
  }

  /** The connection is closed, as by a client that leaves. */
  close() {
    this.stream.controller.abort();
  }

  get id() {
    return this.events[0].response.id;
  }
}

/** All events of a stream that was asked for. */
export async function events(asked) {
  return new Reading(await asked).whole();
}

/** The text that was streamed. */
export function streamed(events) {
  return deltas(events).map((event) => event.delta).join('');
}

export function deltas(events) {
  return events.filter((event) => event.type === 'response.output_text.delta');
}

/** A story about a response of the slow model, of which so many events were read. It is cancelled at the end. */
export function running(count, parameters, story) {
  return async () => {
    const stream = await client().responses.create({ model: 'slow', input: 'Talk.', stream: true, ...parameters });
    const reading = new Reading(stream);
    await reading.take(count);
    try {
      await story(reading);
    } finally {
      reading.close();
      await client().responses.cancel(reading.id).catch((error) => {
        // It has ended, or is deleted.
        if (![400, 404].includes(error.status)) throw error;
      });
    }
  };
}

/** A story for each of these cases. */
export function each(cases, name, story) {
  for (const told of cases) test(`${name}: ${JSON.stringify(told)}`.slice(0, 120), () => story(told));
}

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
