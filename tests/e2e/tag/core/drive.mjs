// Visits pages that are made for one question each about the core of the tag, in a real Chromium:
// node drive.mjs '{"server": url, "keys": {"plain", "other", "silent", "masked"}}'
// Prints one JSON object about what was done and seen, by case. Waits on what pages and the server say, never on time.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { createServer, request as ask } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { executablePath, FLAGS, openVisitor, removeProfile } from '../../visitor.mjs';

const { server, keys, only } = JSON.parse(process.argv[2]);
/** Of everything, so that a test that waits for us never waits longer. */
const TIMEOUT_MS = 300_000;
const SHELL = (body, head = '') => `<!doctype html><meta charset="utf-8"><title>Case</title>${head}<body>${body}`;
/** What the documentation says to put in front of the tag. */
const STUB = /<script>(window\.tracker=.*)<\/script>/.exec(await readFile(new URL('../../../../docs/how-to/record-a-site.md', import.meta.url), 'utf8'))[1];

/** The server takes no events for now. */
let refusing = false;
/** The case that runs. The tracker is addressed under its name, so that what a page of an earlier one still sends is known from it. */
let current = '';
/** What went to the tracker, as it was on the wire. */
let wire = [];
let waiters = [];
const seen = (entry) => {
  if (!entry.prefix.endsWith(`/${current}`)) return;
  wire.push(entry);
  for (const look of [...waiters]) look();
};
/** The first request, past or to come, that the test accepts. */
const until = (test) =>
  new Promise((resolve) => {
    const look = () => {
      const found = wire.find(test);
      if (!found) return;
      waiters = waiters.filter((one) => one !== look);
      resolve(found);
    };
    waiters.push(look);
    look();
  });
/** Forwards a request to the tracker's server, with its path from the prefix on. */
function forward(incoming, outgoing, prefix) {
  const path = incoming.url.slice(prefix.length);
  if (refusing && path.startsWith('/api/v1/track')) {
    incoming.destroy();
    return;
  }
  const parts = [];
  incoming.on('data', (part) => parts.push(part));
  incoming.on('end', () => {
    const body = Buffer.concat(parts);
    const entry = { method: incoming.method, path: path.replace(/\?.*/, ''), query: path.replace(/^[^?]*/, ''), prefix, body };
    const onward = ask(server + path, { method: incoming.method, headers: { ...incoming.headers, host: new URL(server).host } }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
      answer.on('end', () => seen({ ...entry, status: answer.statusCode }));
    });
    onward.on('error', () => outgoing.destroy());
    onward.end(body);
  });
}
const textOf = ({ body }) => (body[0] === 0x1f ? gunzipSync(body) : body).toString();
const calls = () => wire.map(({ method, path }) => `${method} ${path.replace(/-[A-Z0-9]{8}\.js/, '.js')}`);
const eventsOf = (entries) => entries.filter(({ path }) => path === '/api/v1/track').flatMap((entry) => JSON.parse(textOf(entry)).events);

const tracker = createServer((incoming, outgoing) => forward(incoming, outgoing, /^\/\w+/.exec(incoming.url)[0]));
/** Pages by path: [body, headers], or a promise of it. */
let pages = {};
const site = createServer(async (incoming, outgoing) => {
  const { pathname } = new URL(incoming.url, 'http://site');
  if (pathname.startsWith('/metrics/')) {
    forward(incoming, outgoing, /^\/metrics\/\w+/.exec(pathname)[0]);
    return;
  }
  const [text, headers = {}] = (await pages[pathname]) ?? [''];
  outgoing.writeHead(pages[pathname] || pathname === '/favicon.ico' ? 200 : 404, { 'Content-Type': pathname.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8', ...headers }).end(text);
});
const listen = (one) => new Promise((resolve) => one.listen(0, '127.0.0.1', () => resolve(one.address().port)));
const host = `http://127.0.0.1:${await listen(tracker)}`;
// `localhost` is another site than 127.0.0.1, and not only another port.
const base = `http://localhost:${await listen(site)}`;

/** The tag with these attributes. */
const tag = (attributes = {}, root = host) =>
  `<script async src="${root}/${current}/tracker.js" ${Object.entries({ project: keys.plain, screenshots: false, ...attributes })
    .map(([name, value]) => `data-${name}="${value}"`)
    .join(' ')}></script>`;

// Playwright turns the cache of pages off, visitors have it on.
const visitor = await openVisitor(TIMEOUT_MS, { ignoreDefaultArgs: ['--disable-back-forward-cache'] });
const browser = visitor.browser.browser();

const isReady = () => typeof window.tracker?.sessionId === 'string' && window.tracker.sessionId !== '';
const open = async (context, path, ready = isReady) => {
  const page = await context.newPage();
  page.said = [];
  page.on('pageerror', (error) => page.said.push(`error ${error.message}`));
  page.on('console', (message) => page.said.push(`${message.type()} ${message.text()}`));
  await page.goto(base + path);
  await page.waitForFunction(ready);
  return page;
};
const flush = (page) => page.evaluate(() => tracker.flush());
const session = (page) => page.evaluate(() => tracker.sessionId);
/** All that a page's origin keeps in the browser. */
const stored = (page) =>
  page.evaluate(async () => [
    ...Object.keys(localStorage),
    ...Object.keys(sessionStorage),
    ...(await indexedDB.databases()).map(({ name }) => `database ${name}`),
    ...(document.cookie ? ['cookie'] : []),
  ]);

/** `rows()` in a page: all that stands in its databases. */
function addRows() {
  const asked = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }));
  window.rows = async () => {
    const found = [];
    for (const { name } of await indexedDB.databases()) {
      const database = await asked(indexedDB.open(name));
      for (const store of database.objectStoreNames) found.push(...(await asked(database.transaction(store).objectStore(store).getAll())));
      database.close();
    }
    return found;
  };
}

/** A page with `rows` has this text on disk, in whatever it has written. Playwright waits for no promise of a condition. */
const untilWritten = (page, text) =>
  page.evaluate(async (text) => {
    while (!(await rows()).some((row) => row.text.includes(text))) await new Promise((resolve) => setTimeout(resolve, 20));
  }, text);

const cases = {
  /** What is done on a page, in its order. */
  async plain(context) {
    pages['/'] = [SHELL('<button id="go">Go</button><p id="text">text</p>', tag())];
    const page = await open(context, '/?from=mail&token=secret-token');
    await page.click('#go');
    await page.evaluate(() => tracker.track('bought', { price: 5, items: ['a', 'b'] }));
    await page.evaluate(() => setTimeout(() => { throw new Error('thrown'); }));
    await page.waitForEvent('pageerror');
    await page.evaluate(() => void Promise.reject(new Error('rejected')));
    await page.evaluate(() => history.pushState(null, '', '/next'));
    await page.click('#text', { clickCount: 3, delay: 0 });
    await page.evaluate(() => tracker.identify('ada', { plan: 'pro', mail: 'ada@example.org' }));
    await flush(page);
    return { session: await session(page), dropped: await page.evaluate(() => tracker.dropped), cookies: await context.cookies() };
  },

  /** A policy that lets nothing run or go anywhere but what the tag needs. */
  async policy(context) {
    const policy = `default-src 'none'; script-src ${host}; connect-src ${host}`;
    pages['/'] = [SHELL('<button id="go">Go</button>', tag({ record: true })), { 'Content-Security-Policy': policy }];
    await context.addInitScript(() => {
      window.violations = [];
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => violations.push(`${violatedDirective} ${blockedURI}`));
    });
    const page = await open(context, '/');
    await page.click('#go');
    await page.evaluate(() => tracker.track('within'));
    // Which waits for the recorder; `stop` does not.
    await flush(page);
    const id = await session(page);
    await page.evaluate(() => tracker.stop());
    return { session: id, violations: await page.evaluate(() => window.violations), calls: calls(), events: eventsOf(wire).map(({ event_type }) => event_type), said: page.said };
  },

  /** The tag twice, and a second one of another project. */
  async beside(context) {
    pages['/'] = [SHELL('', tag() + tag() + tag({ project: keys.other, name: 'second' }))];
    const page = await open(context, '/', () => window.tracker?.sessionId && window.second?.sessionId);
    await page.evaluate(() => {
      tracker.track('first');
      second.track('second');
    });
    await page.evaluate(() => Promise.all([tracker.flush(), second.flush()]));
    return { session: await session(page), other: await page.evaluate(() => second.sessionId), scripts: calls().filter((call) => call === 'GET /api/v1/config').length };
  },

  /** Calls of a page that is faster than the tag, also through what it kept of the stub. */
  async stub(context) {
    pages['/'] = [SHELL('', `<script>${STUB};window.kept=tracker;window.track=tracker.track;kept.track('before',{n:1});kept.identify('grace');kept.track('between')</script>${tag()}`)];
    const page = await open(context, '/');
    await page.evaluate(() => {
      kept.track('through the object');
      track('through the function');
      tracker.track('after');
    });
    await flush(page);
    return { session: await session(page), same: await page.evaluate(() => kept === tracker) };
  },

  /** What `init` says comes in the place of the tag's own start. */
  async start(context) {
    pages['/'] = [SHELL('', `<script>${STUB};tracker.init({project:${JSON.stringify(keys.other)}});tracker.track('queued')</script>${tag()}`)];
    const page = await open(context, '/');
    await flush(page);
    return { session: await session(page), said: page.said };
  },

  /** In frames of the same site, and in one that may store nothing. */
  async frames(context) {
    pages['/'] = [SHELL('<iframe name="inner" src="/inner"></iframe><iframe name="sandboxed" sandbox="allow-scripts" src="/inner"></iframe>', tag())];
    pages['/inner'] = [SHELL('<b>in</b>', tag())];
    const page = await open(context, '/');
    const found = {};
    for (const name of ['inner', 'sandboxed']) {
      const frame = page.frame({ name });
      await frame.waitForFunction(isReady);
      await frame.evaluate(() => tracker.track('from the frame'));
      await frame.evaluate(() => tracker.flush());
      found[name] = await frame.evaluate(() => tracker.sessionId);
    }
    await flush(page);
    return { session: await session(page), ...found, said: page.said };
  },

  /** Nothing before yes, nothing after no. */
  async consent(context) {
    pages['/'] = [SHELL('<button id="go">Go</button>', tag({ consent: 'required' }))];
    const ready = () => typeof window.tracker?.optIn === 'function';
    let page = await open(context, '/', ready);
    await page.click('#go');
    await page.evaluate(() => tracker.track('before'));
    await page.evaluate(() => tracker.flush());
    const before = { calls: calls(), stored: await stored(page) };
    await page.evaluate(() => tracker.optIn());
    await flush(page);
    const id = await session(page);
    const after = { stored: await stored(page), events: eventsOf(wire).map(({ event_type }) => event_type) };
    await page.evaluate(() => tracker.optOut());
    const refused = { stored: await stored(page) };
    wire = [];
    await page.click('#go');
    await page.evaluate(() => tracker.track('after'));
    await page.evaluate(() => tracker.flush());
    await page.close();
    page = await open(context, '/', ready);
    await page.click('#go');
    await page.evaluate(() => tracker.flush());
    refused.calls = calls();
    refused.storedLater = await stored(page);
    refused.session = await session(page);
    return { session: id, before, after, refused };
  },

  /** A refusal also removes what could not be sent. */
  async leftovers(context) {
    pages['/'] = [SHELL('', tag())];
    const page = await open(context, '/');
    await flush(page);
    refusing = true;
    await page.evaluate(() => {
      for (let n = 0; n < 60; n++) tracker.track('unsent', { n });
    });
    // It ends without a word, once all is on disk.
    await untilWritten(page, '"n":59');
    const written = (await page.evaluate(() => rows())).length;
    const debug = await context.newCDPSession(page);
    const crashed = page.waitForEvent('crash');
    void debug.send('Page.crash').catch(() => undefined);
    await crashed;
    refusing = false;
    wire = [];
    pages['/'] = [SHELL('', tag({ auto: false }))];
    let next = await open(context, '/', () => typeof window.tracker?.optOut === 'function');
    await next.evaluate(() => tracker.optOut());
    const left = [await stored(next), await next.evaluate(() => rows())];
    await next.evaluate(() => tracker.optIn());
    pages['/'] = [SHELL('', tag())];
    next = await open(context, '/');
    await flush(next);
    return { written, left, names: eventsOf(wire).map(({ event_type, event_data }) => event_data?.name ?? event_type) };
  },

  /** What the visitor's browser asks for. */
  async signal(context) {
    await context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true }));
    pages['/'] = [SHELL('<button id="go">Go</button>', tag({ debug: true }))];
    const page = await open(context, '/', () => typeof window.tracker?.flush === 'function');
    await page.click('#go');
    await flush(page);
    return { calls: calls(), stored: await stored(page), said: page.said };
  },

  /** A project that records no session. */
  async silent(context) {
    pages['/'] = [SHELL('', tag({ project: keys.silent }))];
    const page = await open(context, '/');
    await page.evaluate(() => tracker.track('unheard'));
    await flush(page);
    return { calls: calls() };
  },

  /** A share of sessions: the page chooses those that the server would choose. */
  async share(context) {
    const outcomes = [];
    pages['/'] = [SHELL('', tag({ project: keys.share }))];
    for (let n = 0; n < 8; n++) {
      const one = await browser.newContext();
      wire = [];
      const page = await open(one, '/');
      await flush(page);
      // A page that was closed before may still be saying something.
      const id = await session(page);
      const posts = wire.filter((entry) => entry.method === 'POST' && textOf(entry).includes(id));
      outcomes.push({ session: id, sent: eventsOf(posts).length > 0, statuses: posts.map(({ status }) => status) });
      await one.close();
    }
    return { outcomes };
  },

  /** A project's own rules. */
  async masked(context) {
    pages['/'] = [SHELL('<label><input name="nickname" value="canary-1"> <b id="echo">canary-1</b></label><p id="open">x</p>', tag({ project: keys.masked }))];
    const page = await open(context, '/?ref=canary-2&page=3');
    await page.evaluate(() => tracker.track('said', { text: 'you are canary-1' }));
    await flush(page);
    // On a first visit, of which something is on disk already when the rules come.
    const slow = await context.browser().newContext();
    await slow.addInitScript(addRows);
    let release;
    const isReleased = new Promise((resolve) => { release = resolve; });
    await slow.route('**/api/v1/config*', async (route) => {
      await isReleased;
      await route.continue();
    });
    const other = await open(slow, '/?ref=canary-2&page=3');
    await other.evaluate(() => tracker.track('said', { text: 'you are canary-1' }));
    await untilWritten(other, 'you are canary-1');
    release();
    await flush(other);
    await slow.close();
    return { session: await session(page), text: wire.map(textOf).join('\n'), urls: eventsOf(wire).map(({ page_url }) => page_url.split('/').pop()) };
  },

  /** Two tabs of one visit, and one that was duplicated: a window that a page opens gets a copy of its storage. */
  async tabs(context) {
    pages['/'] = [SHELL('<button onclick="window.open(\'/copy\')">copy</button>', tag())];
    pages['/copy'] = [SHELL('', tag())];
    const one = await open(context, '/?one');
    const two = await open(context, '/?two');
    const popup = context.waitForEvent('page');
    await one.click('button');
    const copy = await popup;
    await copy.waitForFunction(isReady);
    await one.evaluate(() => tracker.track('in one'));
    await two.evaluate(() => tracker.track('in two'));
    for (const page of [one, two, copy]) await flush(page);
    const sessions = [await session(one), await session(two), await session(copy)];
    await one.goto(`${base}/?one-again`);
    await one.waitForFunction(isReady);
    await flush(one);
    return { sessions: [...sessions, await session(one)], session: sessions[0] };
  },

  /** Away and back by the browser's button: the page was kept. */
  async back(context) {
    pages['/'] = [SHELL('first', tag())];
    pages['/second'] = [SHELL('second', tag())];
    const page = await open(context, '/');
    await flush(page);
    let wasKept = false;
    /** A browser keeps pages as it can; what it says of those that it did not keep. */
    const reasons = [];
    while (!wasKept && reasons.length < 5) {
      await page.evaluate(() => (window.kept = true));
      await page.goto(`${base}/second`);
      await page.waitForFunction(isReady);
      // A page that was kept does not load again.
      await page.goBack({ waitUntil: 'commit' });
      wasKept = await page.evaluate(() => window.kept === true);
      if (wasKept) break;
      await page.waitForFunction(isReady);
      await flush(page);
      reasons.push(await page.evaluate(() => performance.getEntriesByType('navigation')[0].notRestoredReasons?.reasons?.map(({ reason }) => reason)));
    }
    await page.evaluate(() => tracker.track('back'));
    await flush(page);
    return { session: await session(page), wasKept, reasons };
  },

  /** A page that Chromium made ready ahead of its visit. */
  async ahead() {
    // Chromium makes nothing ready for a page that somebody debugs, so this one runs by itself and is watched by what it sends.
    let go;
    pages['/'] = [SHELL('<script>fetch("/go").then(() => { location.href = "/ahead"; })</script>', '<script type="speculationrules">{"prerender":[{"source":"list","urls":["/ahead"],"eagerness":"immediate"}]}</script>')];
    pages['/go'] = new Promise((resolve) => (go = () => resolve([''])));
    pages['/ahead'] = [
      SHELL('ahead', `<script>fetch('/metrics/ahead/state?made='+document.prerendering);document.addEventListener('prerenderingchange',()=>{fetch('/metrics/ahead/state?shown='+Date.now())})</script>${tag({}, '/metrics')}`),
    ];
    const folder = await mkdtemp(join(tmpdir(), 'drive-core-'));
    const child = spawn(executablePath, ['--headless', ...FLAGS, `--user-data-dir=${folder}`, base], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    try {
      const { query: made } = await until(({ path, query }) => path === '/state' && query.includes('made'));
      await until(({ path }) => path === '/tracker.js');
      const before = calls();
      go();
      const { query: shown } = await until(({ path, query }) => path === '/state' && query.includes('shown'));
      // Stored, not only answered: the browser ends before it would try again.
      const started = await until(({ path, status }) => path === '/api/v1/sessions' && status < 300);
      const batch = await until(({ path, status }) => path === '/api/v1/track' && status < 300);
      return { made, before, shown: Number(shown.split('=')[1]), session: JSON.parse(textOf(started)).session_id, events: JSON.parse(textOf(batch)).events };
    } finally {
      child.kill();
      await ended;
      await removeProfile(folder);
    }
  },

  /** Script, parts and API under a path of the site itself. */
  async prefix(context) {
    pages['/'] = [SHELL('<button id="go">Go</button>', tag({ screenshots: true, record: true }, '/metrics')), { 'Content-Security-Policy': "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'" }];
    const outside = [];
    context.on('request', (request) => {
      if (!request.url().startsWith(`${base}/`)) outside.push(request.url());
    });
    const page = await open(context, '/');
    await page.click('#go');
    await until(({ path }) => path === '/api/v1/track/screenshot');
    const id = await session(page);
    await page.evaluate(() => tracker.stop());
    return { session: id, outside: outside.filter((url) => !/^(data|blob):/.test(url)), prefixes: [...new Set(wire.map(({ prefix }) => prefix))], paths: [...new Set(calls())] };
  },

  /** A page that has changed what the tag stands on. */
  async hostile(context) {
    pages['/'] = [
      SHELL(
        '<button id="go">Go</button>',
        `<script>
          const { fetch, JSON: { stringify, parse } } = window;
          window.through = [];
          window.fetch = function (...given) { through.push(String(given[0]?.url ?? given[0])); return fetch.apply(this, given); };
          Array.prototype.toJSON = function () { return stringify(Array.from(this)); };
          Array.prototype.each = function () {};
          Object.prototype.inherited = 'x';
          Array.prototype.map = (map => function (...given) { return map.apply(this, given); })(Array.prototype.map);
        </script>${tag()}<script>
          addEventListener('load', () => { JSON.stringify = () => 'broken'; JSON.parse = () => ({}); });
        </script>`,
      ),
    ];
    const page = await open(context, '/');
    const first = await session(page);
    await page.click('#go');
    await page.evaluate(() => tracker.track('list', { list: [1, [2]] }));
    await page.evaluate(() => {
      const circle = {};
      circle.self = circle;
      for (const value of [undefined, null, 0, NaN, 1n, '', circle, Symbol('s'), () => 1, new Proxy({}, { get() { throw new Error('no'); }, ownKeys() { throw new Error('no'); } }), document.body]) {
        for (const name of ['init', 'track', 'identify', 'reset', 'startRecording', 'stopRecording', 'optIn']) {
          if (name !== 'reset') tracker[name](value, value);
        }
      }
      for (const value of [undefined, null, 5, {}]) tracker.track('named', value);
    });
    await flush(page);
    return { first, session: await session(page), said: page.said };
  },

  /** A page that lacks or has broken what the tag stands on: it records what it can, and says what does not run. */
  async broken(context) {
    pages['/'] = [
      SHELL(
        '<button id="go">Go</button><input id="mail" type="email">',
        `<script>
          Array.prototype.reduce = function () { return this.length > 1 ? this : this[0]; };
          Object.defineProperty(history, 'pushState', { value: history.pushState, writable: false });
          Object.freeze(history);
          // For the tag only: Playwright needs it.
          const native = window.MutationObserver;
          Object.defineProperty(window, 'MutationObserver', { get: () => (/\\/tracker\\b/.test(new Error().stack) ? undefined : native) });
          window.fetch = () => { throw new Error('no fetch here'); };
        </script>${tag({ debug: true, record: true })}`,
      ),
    ];
    const page = await open(context, '/');
    await page.fill('#mail', 'ada@example.org');
    await page.click('#go');
    await page.evaluate(() => history.pushState(null, '', '/next'));
    await page.evaluate(() => tracker.track('paid', { card: '4242 4242 4242 4242', by: 'ada@example.org' }));
    await flush(page);
    return { session: await session(page), said: page.said, paths: [...new Set(calls())] };
  },

  /** No session is to be replayed. */
  async unrecorded(context) {
    pages['/'] = [SHELL('<button id="go">Go</button>', tag({ record: true, 'record-sample': 0, debug: true }))];
    const page = await open(context, '/');
    await flush(page);
    return { session: await session(page), said: page.said, paths: [...new Set(calls())] };
  },

  /** A single-page app that changes its title after its address, and its address for filters and anchors. */
  async routes(context) {
    pages['/'] = [SHELL('<button id="go">Go</button>', tag())];
    const page = await open(context, '/');
    await page.evaluate(() => {
      history.pushState(null, '', '/list');
      for (const filter of ['size=1', 'size=2&colour=red']) history.replaceState(null, '', `/list?${filter}`);
      location.hash = 'reviews';
      setTimeout(() => (document.title = 'The list'), 100);
    });
    await page.waitForFunction(() => document.title === 'The list');
    // Sent without a word of the page: the title has come.
    await until((entry) => eventsOf([entry]).some(({ event_data }) => event_data?.title === 'The list'));
    await page.evaluate(() => {
      location.hash = '#/cart';
      document.title = 'The cart';
    });
    const id = await session(page);
    await page.goto(`${base}/?again`);
    await page.waitForFunction(isReady);
    await flush(page);
    return { session: id };
  },

  /** A browser that lets the page store nothing. */
  async forbidden(context) {
    await context.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) {
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException('denied', 'SecurityError');
          },
        });
      }
    });
    pages['/'] = [SHELL('', tag())];
    const page = await open(context, '/');
    await page.evaluate(() => tracker.track('from memory'));
    await flush(page);
    return { session: await session(page), said: page.said };
  },

  /** Slips of the pen. */
  async options(context) {
    pages['/'] = [SHELL('', tag({ 'mask-txt': '.a', 'screen-shots': false }))];
    const page = await open(context, '/');
    await flush(page);
    return { said: page.said };
  },

  /** A visitor who comes back to an open page the next day. */
  async renewal(context) {
    pages['/'] = [SHELL('<button id="go">Go</button>', tag())];
    await context.addInitScript(() => {
      const { now } = Date;
      window.ahead = 0;
      Date.now = () => now() + window.ahead;
    });
    const page = await open(context, '/');
    await flush(page);
    const first = await session(page);
    await page.evaluate(() => (window.ahead = 31 * 60_000));
    await page.click('#go');
    await flush(page);
    const second = await session(page);
    await page.evaluate(() => tracker.identify('ada'));
    await page.evaluate(() => tracker.reset());
    await flush(page);
    const batches = wire.filter(({ path }) => path === '/api/v1/track').map((entry) => JSON.parse(textOf(entry)));
    return { first, second, third: await session(page), batches: batches.map(({ session_id, events }) => [session_id, events.map(({ event_type }) => event_type)]) };
  },
};

const report = {};
try {
  for (const [name, run] of Object.entries(cases)) {
    if (only && !only.includes(name)) continue;
    current = name;
    wire = [];
    waiters = [];
    pages = {};
    const context = await browser.newContext();
    context.setDefaultTimeout(TIMEOUT_MS / 10);
    await context.addInitScript(addRows);
    let hung;
    try {
      const late = new Promise((_, reject) => (hung = setTimeout(() => reject(new Error(`${name} hangs`)), TIMEOUT_MS / 6)));
      report[name] = await Promise.race([run(context), late]);
    } catch (error) {
      report[name] = { failed: error.stack, calls: calls() };
    } finally {
      clearTimeout(hung);
      await context.close();
    }
  }
  console.log(JSON.stringify(report));
} finally {
  await visitor.close();
  tracker.close();
  site.close();
  process.exit(0);
}
