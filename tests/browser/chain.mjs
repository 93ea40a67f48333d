import { assert, story } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  const bodies = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') bodies.push(request.postDataJSON());
  });
  await stage.signIn('m');
  await stage.send('First?');
  await stage.answered('One.');
  await stage.send('Second?');
  await stage.answered('Two.');
  await page.getByRole('button', { name: 'New conversation' }).click();
  await stage.answersAre(0);
  await stage.send('Third?');
  await stage.answered('Three.');
  const said = (await stage.act('requests')).map((request) =>
    request.messages.map(({ role, content }) => `${role}: ${typeof content === 'string' ? content : content[0].text}`),
  );
  assert.deepEqual(said, [
    ['user: First?'],
    ['user: First?', 'assistant: One.', 'user: Second?'],
    ['user: Third?'],
  ]);
  assert.deepEqual(
    bodies.map((body) => typeof body.previous_response_id),
    ['object', 'string', 'object'],
  );
});
