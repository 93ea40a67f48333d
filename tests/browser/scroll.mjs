import { assert, story } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  const main = page.getByRole('main');
  const fromEnd = () => main.evaluate((place) => Math.round(place.scrollHeight - place.scrollTop - place.clientHeight));
  await stage.signIn('long');
  await stage.send('Go on and on.');
  await page.getByText('line 59', { exact: true }).waitFor();
  await stage.settles(fromEnd, 0);
  // Who reads further up stays there.
  await main.hover();
  await page.mouse.wheel(0, -900);
  const follow = page.getByRole('button', { name: 'Follow the answer' });
  await follow.waitFor();
  const top = await main.evaluate((place) => place.scrollTop);
  assert.ok(top > 0);
  await stage.act('open', { gate: 'middle' });
  await page.getByText('The end.').waitFor({ state: 'attached' });
  await stage.stands('Completed');
  assert.equal(await main.evaluate((place) => place.scrollTop), top);
  await page.getByRole('button', { name: 'To the end' }).click();
  await stage.settles(fromEnd, 0);
  assert.equal(await stage.overhang(), 0);
});
