import { assert, story, words } from './stage.mjs';

await story(async (stage) => {
  await stage.signIn('slow');
  await stage.send('Count.');
  await stage.answered(words(0, 20));
  await stage.act('kill');
  await stage.stands('The connection is lost');
  await stage.act('restart');
  await stage.stands('Failed.');
  assert.equal(await stage.lastText(), words(0, 20));
  assert.match(await stage.standing.innerText(), /server_error|interrupted|restart/i);
  await stage.picture('failed-light');
  await stage.choose('brief');
  await stage.send('Are you back?');
  await stage.answered('Back again.');
});
