import { options, render } from 'preact';
import { api, restore } from './shell/session';
import { Desk } from './views/desk';
import { SignIn } from './views/sign_in';

/** What the last rendering took, in milliseconds. */
let cost = 0;

// At most one rendering per frame, and while answers are long at most a third of the time.
options.debounceRendering = (flush) => {
  const frame = () =>
    requestAnimationFrame(() => {
      const begun = performance.now();
      flush();
      cost = performance.now() - begun;
    });
  if (cost > 8) setTimeout(frame, cost * 2);
  else frame();
};

function App() {
  return api.value === null ? <SignIn /> : <Desk />;
}

restore();
const place = document.getElementById('app');
if (place !== null) render(<App />, place);
