import { assert, story } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  await stage.signIn('poet');
  await stage.picture('empty-light');
  await stage.send('What is a round?\nPlease show me one as code.');
  await stage.act('reached', { gate: 'middle' });
  const answer = stage.answers.last();
  await answer.locator('blockquote').filter({ hasText: 'Frère Jacques' }).waitFor();
  await answer.locator('pre code').filter({ hasText: 'in enumer' }).waitFor();
  await stage.stands('Answering');
  await stage.picture('streaming-light');
  const heading = await answer.getByRole('heading', { name: 'On rounds' }).elementHandle();
  await stage.act('open', { gate: 'middle' });
  // An address by name that is cut in two on its way.
  await stage.act('reached', { gate: 'address' });
  const score = answer.getByRole('link', { name: 'the score' });
  await stage.settles(() => score.getAttribute('href'), 'https://example.com/sc');
  await stage.act('open', { gate: 'address' });
  await stage.stands('Completed');
  assert.equal(await score.getAttribute('href'), 'https://example.com/score');
  assert.ok(await heading.evaluate((element) => element.isConnected), 'what was there was made anew');
  assert.equal(await page.locator('.said').innerText(), 'What is a round?\nPlease show me one as code.');
  assert.equal(await answer.locator('ol > li').count(), 2);
  assert.equal(await answer.locator('td').count(), 6);
  const sides = await answer.locator('th').evaluateAll((all) => all.map((cell) => getComputedStyle(cell).textAlign));
  assert.deepEqual(sides, ['left', 'right', 'right']);
  assert.equal(await answer.locator('img').count(), 0);
  for (const [name, href] of [
    ['the book', 'https://example.com/rounds'],
    ['a picture', 'https://example.com/picture.png'],
  ]) {
    const link = answer.getByRole('link', { name });
    const attributes = ['href', 'target', 'rel'].map((attribute) => link.getAttribute(attribute));
    assert.deepEqual(await Promise.all(attributes), [href, '_blank', 'noopener noreferrer nofollow']);
  }
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  await answer.locator('.code').getByRole('button', { name: 'Copy' }).click();
  await answer.getByRole('button', { name: 'Copied' }).waitFor();
  assert.ok((await clipboard()).startsWith('def sing(voices, line):\n    for delay, voice in enumerate'));
  await answer.locator('.deeds').getByRole('button', { name: 'Copy' }).click();
  await answer.locator('.deeds').getByRole('button', { name: 'Copied' }).waitFor();
  assert.ok((await clipboard()).startsWith('## On rounds\n\nA round is **one** line'));
  await stage.picture('answer-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await stage.picture('answer-dark');
});
