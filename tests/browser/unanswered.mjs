import { assert, story } from './stage.mjs';

await story(async (stage) => {
  const { page } = stage;
  await stage.signIn('m');
  const keys = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') keys.push(request.headers()['idempotency-key']);
  });
  await stage.act('mute');
  await stage.send('Only once.');
  // The server has it, and nobody hears that.
  await stage.act('reached', { gate: 'begin' });
  await stage.act('cut');
  await stage.stands('sent again, and counts once');
  await stage.act('mend');
  await stage.act('open', { gate: 'begin' });
  await stage.stands('Completed');
  assert.equal(await stage.lastText(), 'Once only.');
  assert.ok(keys.length >= 2 && keys.every((key) => key === keys[0] && key.length > 20), keys.join());
  assert.equal((await stage.act('requests')).length, 1);
});
