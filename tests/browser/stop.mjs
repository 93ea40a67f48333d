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
  // Who clicks twice to send does not stop what the first click has sent.
  await stage.message.fill('Again.');
  await page.getByRole('button', { name: 'Send' }).hover();
  await stage.sends(async () => {
    await page.mouse.down();
    await page.mouse.up();
  });
  await page.getByRole('button', { name: 'Stop', exact: true }).waitFor();
  await page.mouse.down({ clickCount: 2 });
  await page.mouse.up({ clickCount: 2 });
  await stage.answered(words(0, 20));
  await stage.stands('Answering');
  await stage.message.press('Escape');
  await stage.stands('Stopped.');
  await stage.act('closed', { number: 2 });
  await stage.picture('stopped-light');
  // A response whose id is not known here is stopped as soon as it is.
  await stage.act('mute');
  await stage.send('Hello?');
  await stage.act('requested', { number: 3 });
  await stage.message.press('Escape');
  await stage.stands('Stopping');
  await stage.act('cut');
  await stage.stands('The connection is lost');
  await stage.act('mend');
  await stage.stands('Stopped.');
  await stage.act('closed', { number: 3 });
  // Who signs out leaves nothing running.
  await stage.send('And again.');
  await stage.answered(words(0, 20));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await stage.act('closed', { number: 4 });
  // Also where the server has the message, and the page has not heard of it.
  await stage.signIn('slow');
  await stage.act('mute');
  await stage.send('Is anybody there?');
  await stage.act('requested', { number: 5 });
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('API key').waitFor();
  await stage.act('cut');
  await stage.act('mend');
  await stage.act('closed', { number: 5 });
  await stage.signIn('slow');
  // After its end nothing is stopped, and Escape does no harm.
  await stage.message.press('Escape');
  await page.getByRole('button', { name: 'Send' }).waitFor();
});
