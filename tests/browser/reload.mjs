import { assert, story, words } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  await stage.signIn('brief');
  await stage.send('First.');
  await stage.stands('Completed');
  await stage.choose('slow');
  await stage.send('Count.');
  await stage.answered(words(0, 20));
  const asked = [];
  page.on('request', (request) => asked.push(`${request.method()} ${request.url()}`));
  await page.reload();
  await stage.answered(words(0, 20));
  await stage.stands('Answering');
  assert.ok(asked.some((line) => /starting_after=\d+$/.test(line)), asked.join('\n'));
  assert.ok(asked.every((line) => !line.startsWith('POST')), asked.join('\n'));
  assert.equal((await stage.answers.first().locator('.markdown').innerText()).trim(), 'An earlier answer.');
  assert.equal(await page.getByLabel('Model').inputValue(), 'slow');
  // Once more, while the server can't be reached.
  await stage.act('cut');
  await stage.stands('The connection is lost');
  await stage.act('open', { gate: 'middle' });
  await stage.act('mend');
  await page.reload();
  await stage.stands('Completed');
  assert.equal(await stage.lastText(), words(0, 40));
  await page.reload();
  await stage.answered(words(0, 40));
  assert.equal(await stage.answers.count(), 2);
  assert.equal((await stage.act('requests')).length, 2);
});
