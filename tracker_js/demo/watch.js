'use strict';

/** rrweb's types of events. */
const FULL_SNAPSHOT = 2;
const META = 4;
/** The controls below the picture. */
const CONTROLS_PX = 80;
/** A visit that has just begun is not there yet; a server that says no is not asked again. */
const TRIES = 5;
const TRY_MS = 2_000;

const asked = new URLSearchParams(location.search);
const session = asked.get('session') ?? '';
const project = asked.get('project_id');
const state = document.querySelector('[data-testid="watch-state"]');
const box = document.querySelector('[data-player]');
let player;

/** The visit's rrweb events; undefined, and the reason shown, when there are none. */
async function ask() {
  const path = `/api/v1/sessions/${encodeURIComponent(session)}/recording${project ? `?project_id=${encodeURIComponent(project)}` : ''}`;
  for (let tries = 1; ; tries++) {
    const answer = await fetch(path);
    const told = await answer.json();
    // Without a snapshot there is nothing to show.
    if (answer.ok && told.length > 1 && told.some(({ type }) => type === FULL_SNAPSHOT)) return told;
    if (answer.status === 401) {
      const link = Object.assign(document.createElement('a'), { href: '/login', textContent: 'Log in' });
      state.replaceChildren('Only members of the project may watch. ', link, ', then come back.');
      return undefined;
    }
    if ((!answer.ok && answer.status !== 404) || tries >= TRIES) {
      state.textContent = answer.ok ? 'Nothing is recorded of this visit yet.' : (told.detail ?? `The server answered ${answer.status}.`);
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
}

async function watch() {
  const events = await ask();
  if (!events) return;
  const { data } = events.find(({ type }) => type === META) ?? { data: { width: 16, height: 9 } };
  const most = Math.max(innerHeight - 2 * CONTROLS_PX, 320);
  const width = Math.round(Math.min(box.clientWidth, (most * data.width) / data.height));
  const height = Math.round((width * data.height) / data.width);
  player?.$destroy?.();
  box.replaceChildren();
  player = new rrwebPlayer.Player({ target: box, props: { events, width, height, autoPlay: true } });
  const seconds = Math.round((events.at(-1).timestamp - events[0].timestamp) / 1000);
  const pages = new Set(events.filter(({ type }) => type === META).map(({ data: { href } }) => href)).size;
  state.textContent = `${events.length} events in ${seconds} seconds on ${pages} ${pages === 1 ? 'page' : 'pages'}.`;
}

const button = document.querySelector('[data-testid="watch-again"]');
const again = async () => {
  button.disabled = true;
  try {
    await watch();
  } catch (error) {
    state.textContent = `The recording cannot be shown: ${error.message}`;
  }
  button.disabled = false;
};
button.addEventListener('click', again);
void again();
