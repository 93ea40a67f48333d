import { assert, story, words } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  await stage.signIn('slow');
  const streams = [];
  page.on('request', (request) => streams.push(request.url()));
  await stage.send('Count.');
  await stage.answered(words(0, 20));
  await stage.act('cut');
  await stage.stands('The connection is lost');
  await stage.picture('lost-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await stage.picture('lost-dark');
  // The answer goes on while nobody can hear it.
  await stage.act('open', { gate: 'middle' });
  await stage.act('mend');
  await stage.stands('Completed');
  assert.equal(await stage.lastText(), words(0, 40));
  const resumed = streams.filter((url) => url.includes('starting_after='));
  assert.ok(resumed.length >= 1, streams.join('\n'));
  assert.equal((await stage.act('requests')).length, 1);
});
