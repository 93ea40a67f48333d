import { assert, story, words } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  await stage.signIn('slow');
  await stage.send('Count.');
  await stage.answered(words(0, 20));
  await page.getByRole('button', { name: 'Stop' }).click();
  await stage.stands('Stopped.');
  await stage.act('closed', { number: 1 });
  assert.equal(await stage.lastText(), words(0, 20));
  assert.match(await page.getByRole('status').innerText(), /stopped/i);
  await stage.send('Again.');
  await stage.answered(words(0, 20));
  await stage.message.press('Escape');
  await stage.stands('Stopped.');
  await stage.act('closed', { number: 2 });
  await stage.picture('stopped-light');
  // After its end nothing is stopped, and Escape does no harm.
  await stage.message.press('Escape');
  await page.getByRole('button', { name: 'Send' }).waitFor();
});
