import { assert, story } from './stage.mjs';

await story(async (stage) => {
  await stage.signIn('m');
  const headers = { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ model: 'slow', input: 'Count.', background: true });
  const first = await fetch(`${stage.url}/v1/responses`, { method: 'POST', headers, body });
  assert.equal(first.status, 200);
  await stage.act('reached', { gate: 'middle' });
  // The one place is taken, and nobody may wait for it.
  await stage.send('Is there room?');
  await stage.stands('The server is busy');
  await stage.picture('busy-light');
  await stage.act('open', { gate: 'middle' });
  await stage.answered('At last.');
  await stage.stands('Completed');
  assert.equal((await stage.act('requests')).length, 2);
});
