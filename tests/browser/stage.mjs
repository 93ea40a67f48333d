// What each story has: a browser of its own, a page, and somebody who acts on the server's side.

import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { chromium } from 'playwright-core';

const { STORY_BROWSER, STORY_URL, STORY_KEY, STORY_PICTURES, STORY_PROMPTER } = process.env;

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How long a fact may take to appear before the story fails, in milliseconds. */
const PATIENCE = 30_000;

/** Tells a story: a function of the stage. Fails if it fails, or if the page breaks a rule meanwhile. */
export async function story(tell, options = {}) {
  const browser = await chromium.launch({ executablePath: STORY_BROWSER, args: FLAGS, timeout: 60_000 });
  const prompter = new Prompter();
  const faults = [];
  try {
    const context = await browser.newContext({
      viewport: { width: 1180, height: 820 },
      permissions: ['clipboard-read', 'clipboard-write'],
      ...options,
    });
    context.setDefaultTimeout(PATIENCE);
    await context.exposeBinding('__violated', (_, what) => faults.push(`policy violated: ${what}`));
    await context.addInitScript(() => {
      const tell = (event) => window.__violated(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
      document.addEventListener('securitypolicyviolation', tell);
    });
    const page = await context.newPage();
    page.on('pageerror', (error) => faults.push(`error in the page: ${error.stack ?? error}`));
    page.on('console', (message) => {
      if (/content security policy|trusted ?type/i.test(message.text())) faults.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(STORY_URL)) faults.push(`asked for ${request.url()}`);
      if (request.url().includes(STORY_KEY)) faults.push('the key is in a URL');
    });
    await tell(new Stage(page, context, prompter));
    assert.deepEqual(faults, []);
  } catch (error) {
    console.log(faults.join('\n'));
    throw error;
  } finally {
    prompter.close();
    await browser.close();
  }
}

class Stage {
  url = STORY_URL;
  key = STORY_KEY;
  /** The place of the turn that was sent last; none before, and after a page was entered anew. */
  #sent = null;

  constructor(page, context, prompter) {
    Object.assign(this, { page, context, prompter });
  }

  get message() {
    return this.page.getByLabel('Message');
  }

  /** Waits until the page shows no more answers than that many, and that many it must show. */
  async answersAre(count) {
    await this.answers.nth(count).waitFor({ state: 'detached' });
    assert.equal(await this.answers.count(), count);
  }

  /** The answers so far, as sections. */
  get answers() {
    return this.page.locator('.answered');
  }

  /** The answer to what was sent last, and to nothing before it. */
  get answer() {
    return this.#sent === null ? this.answers.last() : this.answers.nth(this.#sent);
  }

  /** What the page says of that answer's standing. */
  get standing() {
    return this.answer.locator('.standing');
  }

  async signIn(model) {
    this.#sent = null;
    await this.page.goto(STORY_URL);
    await this.page.getByLabel('API key').fill(STORY_KEY);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.message.waitFor();
    if (model !== undefined) await this.choose(model);
  }

  choose(model) {
    return this.page.getByLabel('Model').selectOption(model);
  }

  async send(text) {
    await this.message.fill(text);
    await this.sends(() => this.message.press('Enter'));
  }

  /** Does what sends a message once the page takes one (the last answer has ended), and waits until its turn is there. */
  async sends(act) {
    await this.page.getByRole('button', { name: 'Send', exact: true }).waitFor();
    const before = await this.answers.count();
    await act();
    await this.answers.nth(before).waitFor();
    this.#sent = before;
  }

  /** Waits until the text of that answer is this, without what stands below it. */
  answered(text) {
    return this.settles(() => this.lastText(), text);
  }

  async lastText() {
    const blocks = await this.answer.locator('.markdown').allInnerTexts();
    return blocks.join('\n').trim();
  }

  /** Waits until that answer's standing has these words. */
  stands(words) {
    return this.standing.filter({ hasText: words }).waitFor();
  }

  /** Waits until what `look` sees is this. */
  async settles(look, expected) {
    const begun = Date.now();
    let seen;
    do {
      seen = await look();
      if (seen === expected) return;
      await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    } while (Date.now() - begun < PATIENCE);
    assert.equal(seen, expected);
  }

  /** Has the server's side do something. */
  act(what, more = {}) {
    return this.prompter.ask({ act: what, ...more });
  }

  picture(name) {
    return this.page.screenshot({ path: path.join(STORY_PICTURES, `${name}.png`), animations: 'disabled' });
  }

  /** How much wider than the window the page is. */
  overhang() {
    return this.page.evaluate(() => {
      const places = [document.scrollingElement, ...document.querySelectorAll('main, dialog, .events')];
      return Math.max(...places.map((place) => place.scrollWidth - place.clientWidth));
    });
  }
}

/** Asks the test behind the story, a line each way. */
class Prompter {
  #socket = net.connect(Number(STORY_PROMPTER), '127.0.0.1');
  #lines = readline.createInterface({ input: this.#socket })[Symbol.asyncIterator]();

  async ask(wish) {
    this.#socket.write(`${JSON.stringify(wish)}\n`);
    const { value, done } = await this.#lines.next();
    assert.ok(!done, `nobody answers ${JSON.stringify(wish)}`);
    return JSON.parse(value);
  }

  close() {
    this.#socket.destroy();
  }
}

/** Words `from` to `to` of the provider that halts, with a space between two. */
export function words(from, to) {
  return Array.from({ length: to - from }, (_, index) => `word${from + index}`).join(' ');
}

export { assert };
