// Records a visit through each dialect, and replays it from each read endpoint, in a real Chromium:
//   node drive.mjs '{"server", "writeKey", "readKey", "projectId", "publicKey", "pictures", "dialects", "readers"}'
// Prints one JSON object about what was seen; waits on what pages and the server say, never on time.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modules, openVisitor } from '../visitor.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

const settings = JSON.parse(process.argv[2]);
const ARRIVAL_MS = 25_000;
const VENDOR = {
  'record.js': '@rrweb/record/dist/record.umd.min.cjs',
  'console.js': '@rrweb/rrweb-plugin-console-record/dist/rrweb-plugin-console-record.umd.min.cjs',
  'pako.js': 'pako/dist/pako.min.js',
  'lz-string.js': 'lz-string/libs/lz-string.min.js',
};
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css' };

/** What a visitor's browser and each dialect's tracker call a session. */
const newSession = { v1: randomUUID, spectra: randomUUID, reev: randomUUID, incuera: () => `session_${Date.now()}_abc123`, uxcam: () => `sess_${Date.now()}_abc123` };

/** The recorded site, on another origin than the server. */
const site = createServer((request, response) => {
  const name = new URL(request.url, 'http://site').pathname.slice(1);
  const vendor = VENDOR[name.replace('vendor/', '')];
  readFile(vendor && name.startsWith('vendor/') ? join(modules, vendor) : join(here, name)).then(
    (content) => response.writeHead(200, { 'Content-Type': TYPES[extname(name)] }).end(content),
    () => response.writeHead(404).end(),
  );
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));

const visitor = await openVisitor(200_000, { viewport: { width: 800, height: 600 } });
const { browser } = visitor;

/** One visit of two pages, recorded by rrweb and sent as the dialect's trackers do. */
async function record(dialect) {
  const session = newSession[dialect]();
  const page = await browser.newPage();
  const statuses = [];
  page.on('response', (response) => {
    if (response.url().startsWith(settings.server) && response.request().method() === 'POST') statuses.push(response.status());
  });
  const tell = (name, ...given) => page.evaluate(([method, values]) => window.recorder[method](...values), [name, given]);
  /** What was sent is answered: a beacon tells its page nothing. */
  const flush = async (name = 'flush') => {
    const wanted = name === 'flushTwice' || name === 'flushInterleaved' ? 2 : 1;
    const already = statuses.length;
    await tell(name);
    while (statuses.length < already + wanted) await page.waitForEvent('response');
  };
  const config = JSON.stringify({ ...settings, dialect, session });
  // `localhost` is another site than 127.0.0.1, and not only another port.
  await page.goto(`http://localhost:${site.address().port}/first.html?config=${encodeURIComponent(config)}`);
  await tell('call', 'start');
  await flush();

  await page.click('#rename');
  await page.click('#summary');
  await flush('flushTwice');

  await page.locator('#name').pressSequentially('Zoë 🪁');
  await page.click('#gift');
  await page.selectOption('#colour', 'green');
  await page.fill('#note', 'First line\nsecond “line”');
  await tell('hold');

  await page.click('#add');
  await page.click('#remove');
  await page.click('#add');
  await flush();
  await flush('release'); // late: after the batch that followed it

  await page.click('#paint');
  await page.locator('#scroller').hover();
  await page.mouse.wheel(0, 5000);
  await page.waitForFunction(() => {
    const { scrollTop, scrollHeight, clientHeight } = document.querySelector('#scroller');
    const isBelow = scrollTop + clientHeight >= scrollHeight - 1;
    return isBelow && window.recorder.has((event) => event.type === 3 && event.data.source === 3 && Math.abs(event.data.y - scrollTop) < 1);
  });
  await flush('flushInterleaved');

  await page.click('#log');
  const broken = page.waitForEvent('pageerror');
  await page.click('#throw');
  await broken;
  await page.click('#open');
  await tell('call', 'heartbeat');
  await flush();
  if (settings.pictures) await page.screenshot({ path: join(settings.pictures, `${dialect}-recorded.png`) });

  // The click that leaves is sent while the page goes away.
  await page.click('#next');
  await page.waitForURL(/second/);
  await page.waitForFunction(() => window.recorder); // which has the page's snapshot then
  await flush();
  await page.click('#buy');
  await flush();
  await tell('call', 'end');
  await tell('state');
  const told = await page.evaluate(() => window.recorder.told);
  // Moves of the mouse that rrweb still holds back are of no interest.
  await page.close();
  return { ...told, session, statuses };
}

/** What was sent as a page went away is answered to nobody: ask until all is there. */
async function arrived({ session, recorded }) {
  const deadline = Date.now() + ARRIVAL_MS;
  let count = 0;
  while (count !== recorded.length && Date.now() < deadline) {
    const response = await fetch(`${settings.server}/api/v1/sessions/${session}/recording`, { headers: { 'X-API-Key': settings.readKey } });
    count = response.ok ? (await response.json()).length : 0;
  }
}

async function replay(page, reader, dialect, { session, recorded }) {
  const read = await page.evaluate(([name, source]) => window.playback.read(name, source), [reader, { ...settings, session, recorded }]);
  const second = recorded.findLastIndex((event) => event.type === 4);
  const seek = (event) => page.evaluate((time) => window.playback.seek(time), event.timestamp);
  const states = [await seek(recorded[second - 1])];
  if (settings.pictures) await page.screenshot({ path: join(settings.pictures, `${dialect}-${reader}.png`) });
  states.push(await seek(recorded.at(-1)));
  return { ...read, states, played: await page.evaluate(() => window.playback.play()) };
}

const text = (error) => (error instanceof Error ? (error.stack ?? error.message) : String(error));
const report = {};
try {
  for (const dialect of settings.dialects) {
    report[dialect] = await record(dialect).catch((error) => ({ failed: text(error) }));
  }
  const page = await browser.newPage();
  await page.goto(`${settings.server}/health`); // any page of the server's own origin
  await page.setContent('<!doctype html><body style="margin: 0"></body>');
  await page.addStyleTag({ path: join(modules, 'rrweb-player/dist/style.min.css') });
  await page.addScriptTag({ path: join(modules, 'rrweb-player/dist/rrweb-player.umd.min.cjs') });
  await page.addScriptTag({ path: join(here, 'state.js') });
  await page.addScriptTag({ path: join(here, 'player.js') });
  for (const [dialect, visit] of Object.entries(report)) {
    if (visit.failed) continue;
    await arrived(visit);
    visit.replays = {};
    for (const reader of settings.readers) {
      visit.replays[reader] = await replay(page, reader, dialect, visit).catch((error) => ({ failed: text(error) }));
    }
    visit.logged = visit.recorded.filter((event) => event.type === 6 && event.data.payload.level === 'error').length;
    visit.count = visit.recorded.length;
    delete visit.recorded;
  }
  console.log(JSON.stringify(report));
} finally {
  await visitor.close();
  site.close();
}
