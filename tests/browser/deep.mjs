import { assert, story } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  await stage.signIn('deep');
  await stage.send('Nest.');
  const isShown = async () => {
    await stage.stands('Completed');
    const { answer } = stage;
    await answer.getByText('After all.').waitFor();
    await answer.getByText('> > > >').first().waitFor();
    await answer.getByText('- - - -').first().waitFor();
    // What is not nested is Markdown all the same.
    assert.equal(await answer.locator('.markdown strong').innerText(), 'all');
  };
  await isShown();
  await page.reload();
  await isShown();
  await stage.send('Once more.');
  await stage.settles(() => stage.answers.count(), 2);
  await isShown();
});
