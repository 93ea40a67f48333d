import { assert, story, words } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  await stage.signIn('long');
  await stage.send('Talk.');
  await stage.stands('Completed');
  await stage.answers.last().getByRole('button', { name: 'Events' }).click();
  const dialog = page.getByRole('dialog', { name: 'Events' });
  const rows = dialog.locator('.event');
  await dialog.getByText('3008, whole').waitFor();
  // What is there is capped, so that thousands of events cost no more than some.
  assert.equal(await rows.count(), 200);
  await dialog.getByText('1 to 200 of 3008').waitFor();
  assert.match(await rows.first().innerText(), /^0\s+response\.created$/);
  await rows.nth(5).locator('summary').click();
  const json = JSON.parse(await rows.nth(5).locator('pre').innerText());
  assert.deepEqual([json.sequence_number, json.type, json.delta], [5, 'response.output_text.delta', 'w1 ']);
  await rows.first().locator('summary').click();
  assert.ok((await rows.first().locator('pre').innerText()).includes('\n    "temperature": 1.0,\n'));
  await rows.first().locator('summary').click();
  await stage.picture('inspector-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await stage.picture('inspector-dark');
  await dialog.getByRole('button', { name: 'Later' }).click();
  await rows.first().filter({ hasText: /^200/ }).waitFor();
  await dialog.getByLabel('Type').selectOption('response.completed');
  await stage.settles(() => rows.count(), 1);
  assert.match(await rows.first().innerText(), /^3007\s/);
  const facts = await dialog.locator('.facts').innerText();
  for (const fact of ['resp_', 'completed', 'long', '10 in, 3000 out']) assert.ok(facts.includes(fact), facts);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  // A response that still runs is looked at as it goes on; Escape closes the dialog and stops nothing.
  await stage.choose('slow');
  await stage.send('Count.');
  await stage.answered(words(0, 20));
  await stage.answers.last().getByRole('button', { name: 'Events' }).click();
  await dialog.getByText('24, being read').waitFor();
  await stage.act('open', { gate: 'middle' });
  await dialog.getByText('48, whole').waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await stage.stands('Completed');
  assert.equal(await stage.lastText(), words(0, 40));
});
