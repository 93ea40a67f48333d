import { assert, story } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  const ask = async (model) => {
    await stage.choose(model);
    await stage.send(`Dear ${model}, how does it end?`);
  };
  await stage.signIn('limited');
  await ask('limited');
  await stage.stands('Incomplete. It reached its limit of output.');
  assert.equal(await stage.lastText(), 'As far as this');
  await ask('broken');
  await stage.stands('Failed.');
  assert.equal(await stage.lastText(), 'Hello there');
  assert.match(await stage.standing.innerText(), /server_error/);
  await ask('refusing');
  await stage.stands('Completed');
  await stage.answers.last().getByText('The model refused').waitFor();
  assert.equal(await stage.lastText(), "I can't help with that.");
  await ask('thinking');
  await stage.stands('Completed');
  assert.equal(await stage.lastText(), 'Because.');
  await stage.answers.last().locator('.thought summary').click();
  await stage.answers.last().getByText('Let me see.').waitFor();
  await stage.picture('endings-light');
  await ask('rejected');
  await stage.stands('Not answered.');
  const before = (await stage.act('requests')).length;
  await stage.standing.getByRole('button', { name: 'Try again' }).click();
  await stage.act('requested', { number: before + 1 });
  await stage.stands('Not answered.');
  // What is being written is not written over.
  const [edit, retry] = ['Edit', 'Try again'].map((name) => page.getByRole('button', { name }));
  await stage.message.fill('A draft');
  await stage.standing.filter({ has: retry, hasNot: edit }).waitFor();
  await stage.message.fill('');
  await edit.click();
  assert.equal(await stage.message.inputValue(), 'Dear rejected, how does it end?');
  await stage.answersAre(4);
  // A name that is not in the list, for servers that pass any name on; this one does not.
  page.once('dialog', (dialog) => dialog.accept('nobody'));
  await stage.choose('Another…');
  assert.equal(await page.getByLabel('Model').inputValue(), 'nobody');
  await stage.sends(() => stage.message.press('Enter'));
  await stage.stands('Not answered.');
  assert.match(await stage.standing.innerText(), /'nobody' does not exist/);
});
