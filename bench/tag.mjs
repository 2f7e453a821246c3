// What the tag costs a page, on its main thread: node tag.mjs <serverUrl> <rounds>
// Prints lines. Side by side, in turn: a page of 10,000 changes at once without the tag, with it, and with it right after a click,
// when the part that looks for dead clicks watches all changes (the thread's own processor time, which others on the machine do not add
// to); and the longest task while a page of 5,000 elements begins to be recorded, and while its screenshot is taken.
import { createServer } from 'node:http';
import { chromium, executablePath, FLAGS } from '../tests/e2e/visitor.mjs';

const [, , server, rounds] = process.argv;
const tag = (attributes) => `<script async src="${server}/tracker.js" data-screenshots="false" ${attributes}></script>`;
const MANY = `<b>Grow</b><main></main><script>
  const grow = () => { for (let n = 0; n < 10000; n++) document.querySelector('main').append(Object.assign(document.createElement('p'), { textContent: n })); };
</script>`;
const words = 'a page of some length whose texts are of the usual kind and differ a little'.split(' ');
const LARGE = `<style>section { display: grid; grid-template-columns: repeat(4, 1fr) } li { color: #345; padding: 2px }</style>` +
  Array.from({ length: 250 }, (_, n) => `<section class="s${n % 7}"><h2>Part ${n}</h2><ul>${Array.from({ length: 16 }, (_, m) => `<li data-n="${m}">${words[(n + m) % words.length]} ${n * m}</li>`).join('')}</ul><input name="f${n}"></section>`).join('');
const PAGES = { '/without': MANY, '/with': tag('') + MANY, '/large': tag('data-auto="false"') + LARGE };
const site = createServer(({ url }, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<!doctype html><title>Bench</title><body>${PAGES[url] ?? ''}`));
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launch({ executablePath, args: FLAGS });
const open = async (path) => {
  const page = await browser.newPage();
  await page.goto(`http://localhost:${site.address().port}${path}`);
  return page;
};
const times = {};
const note = (name, ms) => (times[name] ??= []).push(ms);

async function changes(name, path, isClicked) {
  const page = await open(path);
  if (path !== '/without') await page.waitForFunction(() => !/native code/.test(console.error.toString()));
  if (isClicked) await page.click('b');
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const busy = async () => (await devtools.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value * 1_000;
  const before = await busy();
  await page.evaluate(async () => {
    grow();
    // After the observers, which hear of it before any other task, and after it was drawn.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  });
  note(name, (await busy()) - before);
  await page.close();
}

async function longest() {
  const page = await open('/large');
  await page.waitForFunction(() => window.tracker);
  await page.evaluate(() => {
    let longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    }).observe({ entryTypes: ['longtask'] });
    // Entries come a moment after their task.
    window.longestSince = async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const found = longest;
      longest = 0;
      return found;
    };
  });
  const of = async (name, act) => {
    await page.evaluate(() => longestSince());
    await act();
    note(name, await page.evaluate(() => longestSince()));
  };
  await of('the tag begins', () => page.evaluate(() => (tracker.init(), tracker.flush())));
  await of('a recording begins', async () => {
    const stored = page.waitForResponse((response) => response.url().includes('/track/recording'));
    await page.evaluate(() => tracker.startRecording());
    await stored;
  });
  await page.evaluate(() => tracker.stopRecording());
  await of('a screenshot', () => page.evaluate(() => tracker.screenshot()));
  await page.close();
}

for (let round = 0; round < Number(rounds); round++) {
  await changes('without the tag', '/without', false);
  await changes('with it', '/with', false);
  await changes('a click is judged', '/with', true);
  await longest();
}
const line = (name) => {
  const sorted = times[name].sort((a, b) => a - b);
  return `${name.padStart(20)} | ${sorted[0].toFixed(0).padStart(5)} | ${sorted[sorted.length >> 1].toFixed(0).padStart(6)}`;
};
console.log('10,000 changes: ms | least | median');
for (const name of ['without the tag', 'with it', 'a click is judged']) console.log(line(name));
console.log('longest task of 5,000 elements: ms (0: none of 50)');
for (const name of ['the tag begins', 'a recording begins', 'a screenshot']) console.log(line(name));
await browser.close();
site.close();
