// Visits that end in all ways, before a server in all conditions: node unload.mjs <serverUrl> <folder of the tag> '<options>'
// Prints a JSON list: for each way, condition and amount what had to arrive, what did at once, and what with the next visit.
// Options: {visits, ends, kilobytes, servers, together}, see DEFAULTS.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, mkdtemp } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium, executablePath, FLAGS, removeProfile, USER_AGENT } from '../visitor.mjs';


const DEFAULTS = {
  visits: 1,
  ends: ['beside', 'onward', 'navigate', 'close', 'crash', 'kill'],
  kilobytes: [3, 200],
  servers: ['well', 'down', '503', '429', 'slow'],
  /** Visits at the same time, each on a site of its own. */
  together: 20,
};
const [server, folder, given] = process.argv.slice(2);
const options = { ...DEFAULTS, ...JSON.parse(given ?? '{}') };
/** What is captured longer than this before the end has to arrive. */
const GRACE_MS = 1_000;
/** A visit goes on for so long after its load was captured. */
const STAY_MS = 1_500;
const SLOW_MS = 1_000;

/** The page: a burst, then an event each 50 ms; it says in the console what it captured and when. */
const PAGE = `<!doctype html><title>visit</title><script src="/tracker.js" data-screenshots="false" data-project="KEY"></script><script>
  const capture = (n, pad) => { const at = Date.now(); tracker.track('captured', { n, pad }); console.log('captured', n, at); };
  console.log('visible', document.visibilityState === 'visible' ? 1 : 0, 0);
  const first = new URLSearchParams(location.search).get('kilobytes');
  // Once it is known how to record, nothing is sent before.
  if (first) tracker.flush().then(() => {
    let n = 0;
    while (n * 0.25 < Number(first)) capture(n++, 'x'.repeat(160));
    console.log('loaded', n, Date.now());
    setInterval(() => capture(n++), 50);
  });
</script>`;

const key = /data-project="([^"]*)"/.exec(await (await fetch(`${server}/demo/`)).text())?.[1] ?? '';

/** By site: how its server fares. */
const conditions = new Map();
let inFlight = 0;
const proxy = createServer(async (request, response) => {
  const url = new URL(request.url, `http://${request.headers.host}`);
  if (url.pathname === '/page') return void response.setHeader('Content-Type', 'text/html').end(PAGE.replace('KEY', key));
  if (url.pathname.startsWith('/tracker')) {
    response.setHeader('Content-Type', 'text/javascript');
    return void response.end(await readFile(join(folder, basename(url.pathname))));
  }
  if (!url.pathname.startsWith('/api/')) return void response.end();
  inFlight++;
  response.on('close', () => inFlight--);
  const condition = conditions.get(url.hostname);
  const chunks = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return; // It died with its page.
  }
  if (condition === 'down') return void request.socket.destroy();
  if (condition === '503' || condition === '429') return void response.writeHead(Number(condition), { 'Retry-After': '1' }).end();
  if (condition === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
  const { host: _, ...headers } = request.headers;
  const onward = httpRequest(`${server}${request.url}`, { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  onward.end(Buffer.concat(chunks));
});
proxy.listen(0, '127.0.0.1');
await once(proxy, 'listening');
const { port } = proxy.address();

const running = new Set();
process.on('exit', () => {
  for (const pid of running) process.kill(-pid, 'SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** A browser that was started on a busy machine does not always answer. */
const TRIES = 3;

async function launch(profile, tries = TRIES) {
  const child = spawn(executablePath, ['--headless', ...FLAGS, '--remote-debugging-port=0', `--user-agent=${USER_AGENT}`, `--user-data-dir=${profile}`], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  running.add(child.pid);
  void ended.then(() => running.delete(child.pid));
  const address = await new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
      const found = /DevTools listening on (ws:\S+)/.exec(said);
      if (found) resolve(found[1]);
    });
    void ended.then(() => reject(new Error(`no browser: ${said}`)));
  });
  /** All of its processes at once. */
  const kill = async () => {
    process.kill(-child.pid, 'SIGKILL');
    await ended;
  };
  let browser;
  try {
    browser = await chromium.connectOverCDP(address);
  } catch (error) {
    if (tries === 1) throw error;
    await kill();
    return launch(profile, tries - 1);
  }
  return {
    context: browser.contexts()[0],
    kill,
    async close() {
      const session = await browser.newBrowserCDPSession();
      await session.send('Browser.close').catch(() => undefined);
      await ended;
    },
  };
}

/** What a page says of itself, and a promise of its having stayed long enough. */
async function visit(context, plan) {
  const { site, kilobytes } = plan;
  const page = await context.newPage();
  const seen = { ...plan, page, captured: [], sessionId: '', endedAt: 0 };
  const stayed = new Promise((resolve, reject) => {
    let loadedAt = Infinity;
    page.on('console', (message) => {
      const [what, n, at] = message.text().split(' ');
      if (what === 'visible' && n !== '1') reject(new Error('the page is in the background'));
      if (what === 'loaded') loadedAt = Number(at);
      if (what !== 'captured') return;
      seen.captured.push([Number(n), Number(at)]);
      if (Number(at) > loadedAt + STAY_MS) resolve();
    });
  });
  await page.goto(`http://${site}:${port}/page?kilobytes=${kilobytes}`);
  await stayed;
  seen.sessionId = await page.evaluate('tracker.sessionId');
  return seen;
}

const ENDS = {
  /** Closed a while after another tab of the site has come, which must not take what is still being filled. */
  async beside(one) {
    const other = await one.page.context().newPage();
    await other.goto(`http://${one.site}:${port}/page`);
    await other.evaluate('tracker.flush()');
    const enough = one.captured.length + STAY_MS / 50;
    while (one.captured.length < enough) await one.page.waitForEvent('console');
    one.endedAt = Date.now();
    await one.page.close({ runBeforeUnload: true });
  },
  /** To the next page of the site, which finds the last requests of this one under way. */
  onward: ({ page, site }) => page.goto(`http://${site}:${port}/page`),
  navigate: ({ page }) => page.goto(`http://elsewhere.localhost:${port}/`),
  close: ({ page }) => page.close({ runBeforeUnload: true }),
  async crash({ page }) {
    const crashed = page.waitForEvent('crash');
    const session = await page.context().newCDPSession(page);
    session.send('Page.crash').catch(() => undefined);
    await crashed;
  },
};

/** Numbers of the events that the server has of a session, as often as it has them. */
async function stored(sessionId) {
  const answer = await fetch(`${server}/api/v1/sessions/${sessionId}/events?limit=10000&event_type=custom`);
  if (answer.status === 404) return [];
  return (await answer.json()).data.map(({ event_data: { data } }) => data.n);
}

/** Comes back to the site: until nothing of the last visit waits any more. */
async function comeBack(context, site) {
  const page = await context.newPage();
  await page.goto(`http://${site}:${port}/page`);
  await page.evaluate(async () => {
    const waiting = () => new Promise((resolve) => {
      const opening = indexedDB.open('tracker.outbox');
      opening.onupgradeneeded = () => opening.transaction.abort();
      opening.onerror = () => resolve(-1);
      opening.onsuccess = () => {
        const counting = opening.result.transaction('items').objectStore('items').count();
        counting.onsuccess = () => {
          opening.result.close();
          resolve(counting.result);
        };
      };
    });
    do await tracker.flush();
    while (await waiting() !== 0);
  });
  await page.close();
}

async function idle() {
  while (inFlight > 0) await new Promise((resolve) => setImmediate(resolve));
}

/** Of one group, so that a test that waits for us never waits for ever. */
const TIMEOUT_MS = 300_000;

/** Visits at the same time, all killed or none: they share a browser. */
async function run(group) {
  const steps = new Map();
  const watchdog = setTimeout(() => {
    console.error(`no end in ${TIMEOUT_MS} ms:`, JSON.stringify(group.map(({ site, end, kilobytes, server: condition }) => [steps.get(site), end, kilobytes, condition])));
    process.exit(1);
  }, TIMEOUT_MS);
  const step = async (name, { site }, work) => {
    steps.set(site, name);
    const result = await work;
    steps.set(site, `after ${name}`);
    return result;
  };
  const profile = await mkdtemp(join(tmpdir(), 'unload-'));
  group.forEach((plan, index) => {
    plan.site = `v${index}.localhost`;
    conditions.set(plan.site, plan.server);
  });
  let browser = await launch(profile);
  const seen = await Promise.all(group.map((plan) => step('visit', plan, visit(browser.context, plan))));
  if (group[0].end === 'kill') {
    for (const one of seen) one.endedAt = Date.now();
    await browser.kill();
    browser = undefined;
  } else {
    const end = async (one) => {
      one.endedAt = Date.now();
      await ENDS[one.end](one);
    };
    await Promise.all(seen.map((one) => step('end', one, end(one))));
  }
  await idle();
  for (const one of seen) one.atOnce = await stored(one.sessionId);
  for (const { site, server: condition } of group) if (condition !== 'slow') conditions.set(site, 'well');
  browser ??= await launch(profile);
  await Promise.all(group.map((plan) => step('return', plan, comeBack(browser.context, plan.site))));
  await browser.close();
  await removeProfile(profile);
  for (const one of seen) one.has = await stored(one.sessionId);
  clearTimeout(watchdog);
  return seen;
}

/** One line of the table. */
function tell(cell, { captured, endedAt, sessionId, atOnce, has }) {
  const due = captured.filter(([, at]) => at < endedAt - GRACE_MS).map(([n]) => n);
  const missing = due.filter((n) => !has.includes(n));
  cell.visits++;
  cell.complete += missing.length === 0 ? 1 : 0;
  cell.due += due.length;
  cell.at_once += due.filter((n) => atOnce.includes(n)).length;
  cell.next_visit += due.filter((n) => has.includes(n) && !atOnce.includes(n)).length;
  cell.missing += missing.length;
  cell.missing_of_last_second += captured.filter(([n]) => !has.includes(n)).length - missing.length;
  cell.twice += has.length - new Set(has).size;
  if (missing.length > 0) cell.sessions.push(sessionId);
}

const cells = [];
const plans = { killed: [], others: [] };
for (const condition of options.servers) {
  for (const kilobytes of options.kilobytes) {
    for (const end of options.ends) {
      const cell = { end, kilobytes, server: condition, visits: 0, complete: 0, due: 0, at_once: 0, next_visit: 0, missing: 0, missing_of_last_second: 0, twice: 0, sessions: [] };
      cells.push(cell);
      for (let n = 0; n < options.visits; n++) plans[end === 'kill' ? 'killed' : 'others'].push({ end, kilobytes, server: condition, cell });
    }
  }
}
for (const list of Object.values(plans)) {
  for (let first = 0; first < list.length; first += options.together) {
    for (const one of await run(list.slice(first, first + options.together))) tell(one.cell, one);
  }
}
console.log(JSON.stringify(cells));
proxy.close();
proxy.closeAllConnections();
