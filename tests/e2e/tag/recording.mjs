// Visits that the tag records, in a real Chromium: node recording.mjs <serverUrl>
// Prints one JSON object about what was done, sent and replayed; waits on what is sent and shown, never on time.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modules, openVisitor } from '../visitor.mjs';
import { openSite } from './record_site.mjs';

const server = process.argv[2].replace(/\/+$/, '');
const folder = fileURLToPath(new URL('recording', import.meta.url));
const FULL_SNAPSHOT = 2;
const META = 4;
/** Named by how they begin: their first letters stand nowhere else. */
const CANARIES = {
  password: 'Zq7-password', email: 'zq7.mail@Zq7.example', card: '4242 4242 4242 4242',
  editor: 'Zq7-editor', 'private-field': 'Zq7-private', 'shadow-field': 'Zq7-shadow',
  // Of no secret field: an event tells them, a recording does not.
  name: 'Rq7-name', note: 'Rq7-note', search: 'Rq7-search', 'blocked-field': 'Rq7-blocked',
};
/** None that stands in a time or an id by chance. */
const CANARY_SIGNS = ['Zq7', 'zq7.', '4242 ', ' 4242', '"4242"', '42424242', '%5Aq7', 'Pv0', 'Hu0', 'Bl0', 'Lk0'];
const RECORDED_SIGNS = ['Rq7'];

const site = await openSite(server, folder);
const visitor = await openVisitor(150_000, { viewport: { width: 800, height: 900 } });
const { browser } = visitor;

const QUIET = { screenshots: 'false' };
const isFull = ({ type }) => type === FULL_SNAPSHOT;

/** Until what the page has sent is so: it sends at once, not with its next batch. */
async function untilTold(page, is) {
  while (!is()) await page.evaluate(() => tracker.flush().then(() => new Promise((resolve) => setTimeout(resolve, 20))));
}

/** A page whose recording has begun, unless it is told not to wait for that. */
async function open(attributes, { begins = true, prepare } = {}) {
  const page = await browser.newPage();
  await prepare?.(page);
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(site.url('page.html', { ...QUIET, ...attributes }));
  await page.waitForFunction(() => window.tracker?.sessionId);
  const session = await page.evaluate(() => tracker.sessionId);
  if (begins) await untilTold(page, () => site.events(session).some(isFull));
  return { page, session, errors };
}
const end = async ({ page }) => {
  await page.evaluate(() => tracker.stop());
  await page.close();
};
/** Each visit is of somebody else. */
const forget = async () => {
  const page = await browser.newPage();
  await page.goto(site.url('frame.html'));
  await page.evaluate(() => localStorage.clear());
  await page.close();
};

async function replay(session, ...times) {
  const page = await browser.newPage();
  await page.goto(`${server}/health`); // any page of the server's own origin
  await page.setContent('<!doctype html><body style="margin: 0"></body>');
  await page.addStyleTag({ path: join(modules, 'rrweb-player/dist/style.min.css') });
  await page.addScriptTag({ path: join(modules, 'rrweb-player/dist/rrweb-player.umd.min.cjs') });
  const state = /window\.stateOf = [\s\S]*$/.exec(await (await fetch(site.url('page.js'))).text())[0];
  await page.addScriptTag({ content: state });
  const found = await page.evaluate(async ([id, wanted]) => {
    const answer = await fetch(`/api/v1/sessions/${id}/recording`);
    const events = await answer.json();
    const states = wanted.map((time) => {
      document.body.replaceChildren();
      const player = new rrwebPlayer.Player({ target: document.body, props: { events, width: 800, height: 900, autoPlay: false, showController: false } });
      player.getReplayer().pause((time ?? events.at(-1).timestamp) - events[0].timestamp + 1);
      const shown = document.querySelector('.replayer-wrapper iframe').contentDocument;
      const image = shown.querySelector('#picture');
      return { state: stateOf(shown), fields: [...shown.querySelectorAll('input:not([type=checkbox]), textarea')].map((it) => [it.id, it.value]), picture: image.getAttribute('src').slice(0, 16) };
    });
    return { count: events.length, states };
  }, [session, times]);
  await page.close();
  return found;
}

/** All that can be done on the page, then what the page shows and what its replay shows. */
async function equal() {
  const visit = await open({ record: 'true', 'block': '.secret-box', 'mask-text': '.hush' });
  const { page, session, errors } = visit;
  await page.click('#add');
  await page.click('#remove');
  await page.click('#add');
  await page.click('#summary');
  await page.check('#gift');
  await page.fill('#town', 'Lisbon');
  await page.fill('#name', 'Ada');
  await page.locator('#scroller').hover();
  await page.mouse.wheel(0, 200);
  await page.waitForFunction(() => document.querySelector('#scroller').scrollTop === 200);
  await page.evaluate(() => (document.querySelector('#shadow').shadowRoot.querySelector('#in-shadow').textContent = 'Changed in the shadow'));
  await page.click('#open');
  await untilTold(page, () => site.events(session).some(({ data }) => data.adds?.length === 0 && JSON.stringify(data.attributes ?? '').includes('data:image')));
  await untilTold(page, () => site.events(session).some(({ data }) => data.source === 3 && data.y === 200));
  const left = await page.evaluate(() => stateOf(document));
  await end(visit);
  const sent = site.events(session);
  const { count, states } = await replay(session, undefined);
  await forget();
  return { left, replayed: states[0], sent: sent.length, count, errors, answers: [...new Set(site.recordings(session).map(({ status }) => status))] };
}

/** What is typed into every masked place, and what is in every body that left the browser. */
async function canaries() {
  const before = site.sent.length;
  const visit = await open({ record: 'true', 'block': '.secret-box', 'mask-text': '.hush', screenshots: 'true' });
  const { page, session } = visit;
  for (const [id, text] of Object.entries(CANARIES)) {
    await page.locator(`#${id}`).click();
    await page.keyboard.press('Control+A');
    await page.keyboard.type(text);
  }
  for (const id of ['frame', 'blocked-frame']) await page.frameLocator(`#${id}`).locator('#frame-field').pressSequentially('Zq7-frame');
  await page.check('#private-box');
  await page.evaluate(() => {
    document.title = document.querySelector('#password').value;
    document.querySelector('#private-text').textContent = 'Pv0-later';
    document.querySelector('.hush').firstChild.data = 'Hu0-later';
    document.querySelector('#private').insertAdjacentHTML('beforeend', '<p title="Pv0-title">Pv0-added</p>');
    document.querySelector('.secret-box').insertAdjacentHTML('beforeend', '<p>Bl0-added</p>');
    getSelection().selectAllChildren(document.querySelector('#editor'));
    history.pushState(null, '', '?token=Lk0-page');
  });
  await page.click('#add');
  await page.evaluate(() => tracker.screenshot());
  await page.evaluate(() => tracker.flush());
  await end(visit);
  await forget();
  const bodies = site.sent.slice(before).map(({ path, text }) => [path, text.replace(/data:[\w/+-]+;base64,[\w+/=]*/g, 'data:')]);
  // Told letter by letter, in strings of their own.
  const letters = bodies.map(([, text]) => [...text.matchAll(/":"(.{1,2})"/g)].map(([, letter]) => letter).join('')).join('');
  const isRecorded = (path) => path === '/track/recording';
  const found = [...CANARY_SIGNS, ...RECORDED_SIGNS].flatMap((sign) => bodies.filter(([path, text]) => text.includes(sign) && (CANARY_SIGNS.includes(sign) || isRecorded(path))).map(([path, text]) => [sign, path, text.slice(Math.max(0, text.indexOf(sign) - 80), text.indexOf(sign) + 40)]));
  const events = site.events(session);
  const inputs = events.filter(({ data }) => data.source === 5);
  return {
    bodies: bodies.length,
    paths: [...new Set(bodies.map(([path]) => path))].sort(),
    found,
    letters: [...CANARY_SIGNS, ...RECORDED_SIGNS].filter((sign) => letters.includes(sign)),
    told: [...new Set(inputs.map(({ data }) => data.text))].sort(),
    // One for each field that was typed into, however many letters.
    inputs: inputs.length,
  };
}

/** When a recording is sent at all. */
async function modes() {
  const short = await open({ record: 'true', 'record-min-seconds': '3600' }, { begins: false });
  await short.page.click('#add');
  await end(short);
  await forget();

  const calm = await open({ record: 'true', 'record-errors-only': 'true' }, { begins: false });
  await calm.page.click('#add');
  const before = site.events(calm.session).length;
  await calm.page.click('#throw');
  await untilTold(calm.page, () => site.events(calm.session).some(isFull));
  await end(calm);
  const { states } = await replay(calm.session, undefined);
  await forget();

  const unsampled = await open({ record: 'true', 'record-sample': '0' }, { begins: false });
  await unsampled.page.click('#add');
  await end(unsampled);
  await forget();

  const asked = await open({ 'record-sample': '0', 'record-errors-only': 'true' }, { begins: false });
  await asked.page.evaluate(() => tracker.startRecording());
  await untilTold(asked.page, () => site.events(asked.session).some(isFull));
  await end(asked);
  await forget();
  return {
    short: site.recordings(short.session).length,
    unsampled: site.recordings(unsampled.session).length,
    asked: site.events(asked.session).length,
    beforeError: before,
    afterError: site.events(calm.session).slice(0, 2).map(({ type }) => type),
    kite: states[0].state.list.at(-1),
  };
}

/** A new session within a page, and two tabs of one session. */
async function sessions() {
  const first = await open({ record: 'true' });
  await first.page.click('#add');
  await first.page.evaluate(() => tracker.reset());
  await first.page.click('#remove');
  const renewed = await first.page.evaluate(() => tracker.sessionId);
  await untilTold(first.page, () => site.events(renewed).some(isFull));
  // A frame that was there before is told once, however many snapshots hold it.
  await untilTold(first.page, () => site.events(renewed).some(({ data }) => data.isAttachIframe));
  const before = site.events(renewed).length;
  await first.page.frameLocator('#frame').locator('body').click();
  const clicks = () => site.events(renewed).slice(before).filter(({ data }) => data.source === 2 && data.type === 2);
  await untilTold(first.page, () => clicks().length > 0);
  await end(first);
  await forget();

  const one = await open({ record: 'true' });
  const { session } = one;
  const snapshots = () => site.events(session).filter(isFull).length;
  const two = await open({ record: 'true' });
  await untilTold(two.page, () => snapshots() === 2);
  await two.page.click('#add');
  // The first tab goes on by itself, unseen.
  await one.page.evaluate(() => document.querySelector('#list').insertAdjacentHTML('beforeend', '<li>Unseen kite</li>'));
  await one.page.evaluate(() => new Promise((resolve) => setTimeout(() => requestIdleCallback(resolve))));
  const unseen = await one.page.evaluate(() => tracker.flush()).then(() => JSON.stringify(site.events(session)).includes('Unseen kite'));
  await one.page.bringToFront();
  await one.page.click('#add');
  await untilTold(one.page, () => snapshots() === 3);
  await end(one);
  await end(two);
  const last = await replay(session, undefined);
  await forget();
  return {
    first: first.session,
    renewed,
    renewedTypes: site.events(renewed).slice(0, 2).map(({ type }) => type),
    same: two.session === session,
    unseen,
    clicks: clicks().length,
    list: last.states[0].state.list,
  };
}

/** A visitor who goes away for six minutes, and comes back. */
async function pauses() {
  const visit = await open({ record: 'true' }, { prepare: (page) => page.clock.install() });
  const { page, session } = visit;
  const snapshots = () => site.events(session).filter(isFull).length;
  const add = (text) => page.evaluate((kite) => document.querySelector('#list').insertAdjacentHTML('beforeend', `<li>${kite}</li>`), text);
  const told = (text) => JSON.stringify(site.events(session)).includes(text);
  await page.click('#add');
  await page.clock.fastForward(6 * 60_000);
  await add('Unseen kite');
  await page.evaluate(() => tracker.flush());
  const away = [snapshots(), told('Unseen kite')];
  await page.mouse.move(300, 300);
  await page.click('#add');
  await add('Seen kite');
  await end(visit);
  const { states } = await replay(session, undefined);
  await forget();
  return { away, back: snapshots(), list: states[0].state.list };
}

/** What is more than elements: a canvas, a frame of another site. */
async function more() {
  const options = { record: 'true', 'record-canvas': 'true', 'record-cross-origin-iframes': 'true', block: '.secret-box', 'mask-text': '.hush' };
  const visit = await open(options);
  const { page, session } = visit;
  const has = (part) => JSON.stringify(site.events(session)).includes(part);
  await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { id: 'canvas', width: 40, height: 30 });
    const hidden = Object.assign(document.createElement('canvas'), { id: 'private-canvas', width: 40, height: 30 });
    document.body.append(canvas);
    document.querySelector('#private').append(hidden);
    for (const it of [canvas, hidden]) {
      const context = it.getContext('2d');
      context.fillStyle = '#080';
      context.fillRect(0, 0, 40, 30);
    }
  });
  await untilTold(page, () => site.events(session).some(({ data }) => data.source === 9));
  const stranger = site.url('page.html', { ...QUIET, ...options }).replace('localhost', 'other.localhost');
  await page.evaluate((src) => document.body.append(Object.assign(document.createElement('iframe'), { id: 'stranger', src })), stranger);
  await untilTold(page, () => site.events(session).filter(({ data }) => data.isAttachIframe).some(({ data }) => JSON.stringify(data).includes('Kites for sale')));
  await page.frameLocator('#stranger').locator('#name').pressSequentially('Rq7-stranger');
  await page.frameLocator('#stranger').locator('#add').click();
  await page.evaluate(() => tracker.flush());
  // Another session begins with a snapshot, and the frame tells its own.
  await page.evaluate(() => tracker.reset());
  await page.click('#add');
  const renewed = await page.evaluate(() => tracker.sessionId);
  const isFrame = ({ data }) => data.isAttachIframe && JSON.stringify(data).includes('Kites for sale');
  await untilTold(page, () => site.events(renewed).some(isFrame));
  // What was there before is watched on: shadow trees and canvases, too.
  const since = site.events(renewed).length;
  await page.evaluate(() => {
    document.querySelector('#shadow').shadowRoot.querySelector('#in-shadow').textContent = 'Changed after the snapshot';
    document.querySelector('#canvas').getContext('2d').clearRect(5, 5, 10, 10);
  });
  const later = () => site.events(renewed).slice(since);
  await untilTold(page, () => later().some(({ data }) => data.source === 9) && JSON.stringify(later()).includes('Changed after the snapshot'));
  // Any message may come to a page that listens for those of frames.
  await page.evaluate(() => new Promise((resolve) => {
    window.addEventListener('message', () => setTimeout(resolve), { once: true });
    window.postMessage(null, '*');
  }));
  await end(visit);
  const canvases = new Set(site.events(session).filter(({ data }) => data.source === 9).map(({ data }) => data.id));
  await forget();
  return { canvases: canvases.size, found: [...CANARY_SIGNS, ...RECORDED_SIGNS].filter(has), click: has('Added kite 1'), errors: visit.errors };
}

/** What `stop` leaves behind in the page. */
async function leftovers() {
  const page = await browser.newPage();
  await page.addInitScript(() => {
    const open = new Map();
    window.listening = () => [...open.values()];
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    const ids = new WeakMap();
    let next = 0;
    const idOf = (it) => (ids.has(it) || ids.set(it, ++next), ids.get(it));
    const key = (target, type, callback, options) => [idOf(target), type, callback && idOf(callback), Boolean(options?.capture ?? options)].join();
    EventTarget.prototype.addEventListener = function (type, callback, options) {
      const target = this ?? window;
      // Not those of a signal that one request, or one lock, has for itself.
      if (callback && !(target instanceof AbortSignal)) open.set(key(target, type, callback, options), `${target.nodeName ?? target.constructor.name} ${type}`);
      return addEventListener.call(target, type, callback, options);
    };
    EventTarget.prototype.removeEventListener = function (type, callback, options) {
      const target = this ?? window;
      if (callback) open.delete(key(target, type, callback, options));
      return removeEventListener.call(target, type, callback, options);
    };
    const names = [[Element, 'attachShadow'], [HTMLInputElement, 'value'], [HTMLInputElement, 'checked'], [HTMLSelectElement, 'value'], [HTMLTextAreaElement, 'value'], [HTMLOptionElement, 'selected'], [CSSStyleSheet, 'insertRule'], [CSSStyleSheet, 'deleteRule'], [CSSStyleDeclaration, 'setProperty'], [CSSStyleDeclaration, 'removeProperty'], [HTMLCanvasElement, 'getContext'], [HTMLMediaElement, 'play'], [Document, 'adoptedStyleSheets']];
    window.natives = () => names.map(([{ name, prototype }, member]) => {
      const { value, set } = Object.getOwnPropertyDescriptor(prototype, member) ?? {};
      return [`${name}.${member}`, value ?? set];
    });
    const before = natives();
    window.changed = () => natives().filter(([, now], index) => now !== before[index][1]).map(([name]) => name);
  });
  await page.goto(site.url('page.html', { ...QUIET, vitals: 'false' })); // which listen as late as they like
  await page.waitForFunction(() => window.tracker?.sessionId);
  await page.evaluate(() => tracker.flush());
  const listening = () => page.evaluate(() => listening());
  const before = await listening();
  const session = await page.evaluate(() => tracker.sessionId);
  await page.evaluate(() => tracker.startRecording());
  await untilTold(page, () => site.events(session).some(isFull));
  await untilTold(page, () => JSON.stringify(site.events(session)).includes('data:image'));
  await page.click('#add');
  const during = await listening();
  const changedDuring = await page.evaluate(() => changed());
  await page.evaluate(() => tracker.stopRecording());
  const after = await listening();
  const left = [...after];
  for (const one of before) if (left.includes(one)) left.splice(left.indexOf(one), 1);
  const changed = await page.evaluate(() => changed());
  const told = site.events(session).length;
  await page.click('#add');
  await page.evaluate(() => tracker.flush());
  const afterwards = site.events(session).slice(told).filter(({ data }) => JSON.stringify(data).includes('kite 2')).length;
  await page.evaluate(() => tracker.stop());
  await page.close();
  await forget();
  return { added: during.length - before.length, left, changedDuring, changed, afterwards };
}

const report = {};
try {
  for (const part of [equal, canaries, modes, sessions, pauses, more, leftovers]) {
    if (process.argv[3] && process.argv[3] !== part.name) continue;
    report[part.name] = await part().catch((error) => ({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }));
  }
  console.log(JSON.stringify(report));
} finally {
  await visitor.close();
  site.close();
}
