// Watches a recording that names files of another host: node watch_hosts.mjs <baseUrl> <port of the other host>
// Prints which of the files were requested there, and of which the browser said that the page may not load them.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { openVisitor } from './visitor.mjs';

const [base, port] = process.argv.slice(2);
const other = `http://127.0.0.1:${port}`;
const FILES = ['image.png', 'background.png', 'sheet.css', 'import.css', 'face.woff2', 'video.mp4'];

const seen = { requested: new Set(), refused: new Set() };
let done;
const all = new Promise((resolve) => (done = resolve));
const note = (kind, name) => {
  seen[kind].add(name);
  if (FILES.every((file) => seen.requested.has(file) || seen.refused.has(file))) done();
};
const host = createServer((request, response) => {
  const name = request.url.slice(1);
  response.writeHead(200, { 'Access-Control-Allow-Origin': '*', 'Content-Type': name.endsWith('.css') ? 'text/css' : 'application/octet-stream' }).end();
  note('requested', name);
});
host.listen(Number(port), '127.0.0.1');
await once(host, 'listening');

let id = 1;
const element = (tagName, attributes = {}, ...childNodes) => ({ type: 2, id: id++, tagName, attributes, childNodes });
const text = (textContent) => ({ type: 3, id: id++, textContent });
const css = `@import url(${other}/import.css); @font-face { font-family: other; src: url(${other}/face.woff2) } h1 { font-family: other }`;
const page = {
  type: 0,
  id: id++,
  childNodes: [
    element('html', {},
      element('head', {}, element('style', {}, text(css)), element('link', { rel: 'stylesheet', href: `${other}/sheet.css` })),
      element('body', {},
        element('h1', {}, text('Seen')),
        element('img', { src: `${other}/image.png` }),
        element('div', { style: `height: 50px; background: url(${other}/background.png)` }, text('box')),
        element('video', { src: `${other}/video.mp4`, preload: 'auto' }))),
  ],
};
const timestamp = Date.now() - 2_000;
const events = [
  { type: 4, data: { href: `${other}/`, width: 800, height: 600 }, timestamp },
  { type: 2, data: { node: page, initialOffset: { left: 0, top: 0 } }, timestamp: timestamp + 1 },
  { type: 3, data: { source: 2, type: 2, id: 3, x: 5, y: 5 }, timestamp: timestamp + 200 },
];
const { session_id: session } = await (await fetch(`${base}/api/v1/sessions`, { method: 'POST', body: JSON.stringify({ page_url: `${other}/` }) })).json();
const stored = await fetch(`${base}/api/v1/track/recording`, { method: 'POST', body: JSON.stringify({ session_id: session, events }) });
if (!stored.ok) throw new Error(await stored.text());

const { browser, close } = await openVisitor(90_000, { viewport: { width: 1280, height: 800 } });
const tab = await browser.newPage();
tab.on('console', (message) => {
  if (!message.text().includes('Content Security Policy')) return;
  for (const file of FILES) if (message.text().includes(`${other}/${file}`)) note('refused', file);
});
await tab.goto(`${base}/demo/watch.html?session=${session}`);
await tab.frameLocator('.replayer-wrapper > iframe').locator('h1').waitFor();
await all;
console.log(JSON.stringify({ requested: [...seen.requested].sort(), refused: [...seen.refused].sort() }));
await close();
host.close();
