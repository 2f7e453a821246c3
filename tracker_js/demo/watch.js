'use strict';

/** Event types of rrweb. */
const FULL_SNAPSHOT = 2;
const META = 4;
/** Height of the player's controls. */
const CONTROLS_PX = 80;
/** A recording that has just begun is not stored yet, so 404 is retried. */
const TRIES = 5;
const TRY_MS = 2_000;

const query = new URLSearchParams(location.search);
const session = query.get('session') ?? '';
const project = query.get('project_id');
const state = document.querySelector('[data-testid="watch-state"]');
const box = document.querySelector('[data-player]');
let player;

/** Returns the session's rrweb events. Shows the reason and returns undefined where there are none. */
async function fetchEvents() {
  const path = `/api/v1/sessions/${encodeURIComponent(session)}/recording${project ? `?project_id=${encodeURIComponent(project)}` : ''}`;
  for (let tries = 1; ; tries++) {
    const response = await fetch(path);
    const body = await response.json();
    // Without a full snapshot nothing can be replayed.
    if (response.ok && body.length > 1 && body.some(({ type }) => type === FULL_SNAPSHOT)) return body;
    if (response.status === 401) {
      const link = Object.assign(document.createElement('a'), { href: '/login', textContent: 'Log in' });
      state.replaceChildren('Only members of the project may watch. ', link, ', then come back.');
      return undefined;
    }
    if ((!response.ok && response.status !== 404) || tries >= TRIES) {
      state.textContent = response.ok ? 'Nothing is recorded of this visit yet.' : (body.detail ?? `The server answered ${response.status}.`);
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
}

async function watch() {
  const events = await fetchEvents();
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
