import { assert, story, words } from './stage.mjs';

await story(async (stage) => {
  const { page, key, url } = stage;
  const press = (name) => page.keyboard.press(name);
  /** What has the focus, which must be seen. */
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      if (style.outlineStyle === 'none') return `unseen ${element.outerHTML}`;
      return element.getAttribute('aria-label') ?? (element.labels?.[0]?.textContent || element.textContent.trim());
    });
  /** Presses Tab until that has the focus. */
  const tabTo = async (name, by = 'Tab') => {
    const passed = [];
    while (passed.length < 20) {
      await press(by);
      const now = await focused();
      if (now.includes(name)) return;
      assert.ok(!now.startsWith('unseen'), now);
      passed.push(now);
    }
    assert.fail(`${name} is not among ${passed.join(', ')}`);
  };
  await page.goto(url);
  await page.getByLabel('API key').waitFor();
  await page.keyboard.type(key);
  await press('Enter');
  await stage.message.waitFor();
  await tabTo('Model', 'Shift+Tab');
  await page.keyboard.type('slow');
  assert.equal(await page.getByLabel('Model').inputValue(), 'slow');
  await tabTo('Message');
  await page.keyboard.type('One line');
  await press('Shift+Enter');
  await page.keyboard.type('and another.');
  await press('Enter');
  await stage.answered(words(0, 20));
  assert.equal(await page.locator('.said').innerText(), 'One line\nand another.');
  assert.equal(await stage.message.inputValue(), '');
  // The focus stays where messages are written; Tab leads to the button that stops.
  await tabTo('Stop');
  await press('Enter');
  await stage.stands('Stopped.');
  await page.getByRole('button', { name: 'Send' }).waitFor();
  await tabTo('Message', 'Shift+Tab');
  await tabTo('Events', 'Shift+Tab');
  await press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Events' });
  await dialog.locator('.event').first().waitFor();
  await tabTo('response.created');
  await press('Enter');
  await dialog.locator('.event pre').waitFor();
  await stage.picture('keyboard-focus');
  await press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.match(await focused(), /Events/);
  await tabTo('New', 'Shift+Tab');
  await press('Enter');
  await page.getByText('Say something.').waitFor();
  assert.match(await focused(), /Message/);
  await tabTo('Sign out', 'Shift+Tab');
  await press('Enter');
  await page.getByLabel('API key').waitFor();
});
