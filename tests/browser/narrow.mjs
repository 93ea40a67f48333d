import { assert, story } from './stage.mjs';

/** The texts whose contrast to what is behind them is below that of WCAG AA. */
function faint() {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const light = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (color) => {
    const [red, green, blue] = channels(color).map((value) => light(value / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      const [, , , opacity = 1] = channels(color);
      if (opacity === 1) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() === '' || element.checkVisibility() === false) continue;
    const pair = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)}: ${texts.currentNode.data.slice(0, 40)}`);
  }
  return found;
}

await story(
  async (stage) => {
    const { page } = stage;
    const look = async (name) => {
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await page.evaluate(faint), [], `${name}, ${colorScheme}`);
        await stage.picture(`phone-${name}-${colorScheme}`);
      }
      assert.equal(await stage.overhang(), 0, name);
    };
    await page.goto(stage.url);
    await page.getByLabel('API key').waitFor();
    await look('sign-in');
    await stage.signIn('wide');
    await look('empty');
    await stage.send(`Something wide: ${'unbroken'.repeat(40)}`);
    await stage.stands('Completed');
    await page.locator('.thought summary').click();
    await look('wide');
    await stage.choose('refuses');
    await stage.send('And now something else.');
    await stage.stands('Completed');
    await look('refusal');
    await stage.act('cut');
    await stage.send('Is anybody there?');
    await stage.stands('The connection is lost');
    await look('lost');
    await stage.act('mend');
    await stage.stands('Completed');
    await stage.answers.last().getByRole('button', { name: 'Events' }).click();
    await page.getByText('whole').waitFor();
    await page.locator('.event summary').last().click();
    await page.locator('.event pre').waitFor();
    await look('inspector');
  },
  { viewport: { width: 360, height: 740 }, reducedMotion: 'reduce' },
);
