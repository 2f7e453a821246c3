// What the tag costs a page that changes 10,000 nodes at once, on the main thread: node cost.mjs <server> [rounds]
// A measurement, not a test. Side by side, in turn: a page without the tag, with it, and with it right after a click,
// when the part that looks for dead clicks watches all changes. Prints milliseconds of the main thread's own processor
// time, which others on the machine do not add to: least and median of the rounds.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../../../../tracker_js/package.json', import.meta.url))('playwright-core');
const [, , server, rounds = '15'] = process.argv;
const many = await readFile(new URL('many.html', import.meta.url), 'utf8');
const tag = `<script async src="${server}/tracker.js" data-screenshots="false"></script>`;
const site = createServer(({ url }, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(many.replace('<!--tag-->', url === '/without' ? '' : tag)));
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

const KINDS = { without: false, tag: false, 'tag, a click is judged': true };
const times = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, []]));
for (let round = 0; round < Number(rounds); round++) {
  for (const [kind, isClicked] of Object.entries(KINDS)) {
    const page = await browser.newPage();
    await page.goto(`http://localhost:${site.address().port}/${kind === 'without' ? 'without' : 'with'}`);
    if (kind !== 'without') await page.waitForFunction(() => !/native code/.test(console.error.toString()));
    if (isClicked) await page.click('b');
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busy = async () => (await devtools.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value * 1_000;
    const before = await busy();
    await page.evaluate(async () => {
      document.querySelector('#grow').click();
      // After the observers, which hear of it before any other task, and after it was drawn.
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    });
    times[kind].push((await busy()) - before);
    await page.close();
  }
}
for (const [kind, all] of Object.entries(times)) {
  const sorted = all.sort((a, b) => a - b);
  console.log(`${kind.padEnd(24)} least ${sorted[0].toFixed(1)} ms, median ${sorted[sorted.length >> 1].toFixed(1)} ms`);
}
await browser.close();
site.close();
