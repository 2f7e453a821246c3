// Screenshots that the tag takes, in a real Chromium: node screenshots.mjs <serverUrl>
// Prints one JSON object about what was taken and where on the page things are; waits on what is sent, never on time.
import { fileURLToPath } from 'node:url';
import { openVisitor } from '../visitor.mjs';
import { openSite } from './record_site.mjs';

const server = process.argv[2].replace(/\/+$/, '');
const folder = fileURLToPath(new URL('screenshots', import.meta.url));

const site = await openSite(server, folder);
const visitor = await openVisitor(150_000, { viewport: { width: 800, height: 900 } });
const { browser } = visitor;

const ENGINES = ['modern-screenshot', 'html2canvas'];
const OPTIONS = { block: '.secret-box', 'mask-text': '.hush' };

/** A page whose own screenshot was taken. */
async function open(name, attributes) {
  const page = await browser.newPage();
  const before = site.images().length;
  await page.goto(site.url(name, attributes));
  await site.until(() => site.images().length > before);
  return page;
}
/** All that was asked for has arrived. */
const settle = (page) => page.evaluate(() => tracker.screenshot().then(() => tracker.flush()));
const end = async (page) => {
  await page.evaluate(() => tracker.stop());
  await page.close();
};
const sizeOf = ({ image_data: data, width, height }) => ({ bytes: Buffer.from(data.split(',')[1], 'base64').length, width, height });

async function blanks(engine) {
  const page = await open('blanks.html', { ...OPTIONS, 'screenshot-engine': engine });
  const boxes = await page.evaluate(() => {
    const elements = [...document.querySelectorAll('[id]')].filter(({ id }) => id !== 'shadow');
    elements.push(document.querySelector('#shadow').shadowRoot.firstElementChild);
    return Object.fromEntries(elements.map((it) => {
      const { x, y, width, height } = it.getBoundingClientRect();
      return [it.id || 'in-shadow', [x, y, width, height].map(Math.round)];
    }));
  });
  const image = site.images().at(-1);
  await end(page);
  return { session: image.session_id, boxes, page_url: image.page_url, image: image.image_data };
}

async function photos(engine) {
  const page = await open('photos.html', { 'screenshot-engine': engine });
  // Not those of the page before: who closes a page in a moment leaves to the next one to see whether all arrived.
  const count = () => site.images().filter(({ page_url: url }) => url.endsWith(`=${engine}`)).length;
  const before = count();
  await settle(page);
  await settle(page);
  const unchanged = count() - before;
  await page.evaluate(() => (document.querySelector('#text').textContent = 'Something.'));
  await settle(page);
  const changed = count() - before;
  const size = sizeOf(site.images().at(-1));
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await end(page);
  return { unchanged, changed, size, height };
}

/** A single-page app: each path has one. */
async function steps() {
  const page = await open('blanks.html', OPTIONS);
  const before = site.images().length;
  for (const step of ['/one', '/two']) {
    const taken = site.images().length;
    await page.evaluate((path) => {
      history.pushState(null, '', path);
      document.querySelector('h1').textContent = path;
    }, step);
    await site.until(() => site.images().length > taken);
  }
  await page.evaluate(() => (location.hash = 'part'));
  await page.evaluate(() => tracker.flush());
  const urls = site.images().slice(before).map(({ page_url: url }) => new URL(url).pathname);
  await end(page);
  return { urls };
}

/** A page that tells of its failed requests: images of a site that allows no request are ours to miss, not the page's. */
async function strangers() {
  const page = await browser.newPage();
  await page.goto(site.url('blanks.html', { auto: 'false' }));
  await page.waitForFunction(() => window.tracker?.init);
  const address = site.url('picture.svg').replace('localhost', 'other.localhost');
  await page.evaluate((src) => new Promise((resolve) => {
    const image = Object.assign(new Image(), { src, onload: resolve });
    document.body.append(image);
  }), address);
  const before = site.images().length;
  await page.evaluate(() => tracker.init());
  await site.until(() => site.images().length > before);
  const session = await page.evaluate(() => tracker.sessionId);
  await end(page);
  return { failed: site.sent.filter(({ path, text }) => path === '/track' && text.includes(session) && text.includes('request_failed')).length };
}

const report = {};
try {
  for (const part of [blanks, photos]) {
    if (process.argv[3] && process.argv[3] !== part.name) continue;
    report[part.name] = {};
    for (const engine of ENGINES) report[part.name][engine] = await part(engine);
  }
  for (const part of [steps, strangers]) if (!process.argv[3] || process.argv[3] === part.name) report[part.name] = await part();
  console.log(JSON.stringify(report));
} finally {
  await visitor.close();
  site.close();
}
