import { assert, story } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  await stage.signIn('evil');
  await stage.send('Do your worst.');
  await stage.stands('Completed');
  const answer = stage.answers.last();
  await answer.getByText('After.').waitFor();
  assert.equal(await page.evaluate(() => window.__harm), undefined);
  const forbidden = 'script, img, svg, iframe, form, input, style, math, object, embed, [style], [onclick], [onerror]';
  assert.equal(await answer.locator('.markdown').locator(forbidden).count(), 0);
  // What it said can still be read.
  await answer.getByText("<script>window.__harm = 'script'</script>").waitFor();
  const links = await answer.locator('.markdown a[href]').evaluateAll((all) => all.map((link) => link.href));
  assert.deepEqual(links, ['https://example.com/x.png', 'https://example.com/y.png', 'https://example.com/ok']);
  // Each of the others is there, and leads nowhere.
  for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) {
    await answer.getByText(name, { exact: true }).click();
  }
  assert.equal(page.url(), `${stage.url}/`);
  assert.equal(stage.context.pages().length, 1);
  assert.equal(await page.evaluate(() => window.__harm), undefined);
  await stage.picture('hostile-light');
});
