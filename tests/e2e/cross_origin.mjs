// A page of another origin sends to the server in every way: node cross_origin.mjs <serverUrl> <file of requests> <token>
// The requests are a JSON list of {path, body, read?}. The token is of a link by which the browser logs in to the server
// first. Prints, by request and way, what the page was told; and what came of reads with the login's cookie.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { openVisitor } from './visitor.mjs';

const [server, file, token] = process.argv.slice(2);
const { writes, reads } = JSON.parse(await readFile(file, 'utf8'));

const site = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>shop</title>'));
site.listen(0, '127.0.0.1');
await once(site, 'listening');

const { browser, close } = await openVisitor(120_000);
const page = await browser.newPage();

await page.goto(`${server}/login`);
const login = await page.evaluate(async (token) => {
  const body = JSON.stringify({ token, email: 'ann@shop.example', password: 'a few words together' });
  return (await fetch('/api/v1/links/use', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })).status;
}, token);

// The same host and another port: another origin of the same site, to which browsers send the cookie.
await page.goto(`http://127.0.0.1:${site.address().port}/`);
const told = await page.evaluate(
  async ({ server, writes, reads }) => {
    const beaconEnd = () =>
      new Promise((resolve) => {
        new PerformanceObserver((entries, observer) => {
          if (!entries.getEntries().some(({ initiatorType }) => initiatorType === 'beacon')) return;
          observer.disconnect();
          resolve('sent');
        }).observe({ type: 'resource' });
      });
    const ask = (options) => (url, body) => fetch(url, { method: 'POST', body, ...options }).then((answer) => answer.status, String);
    const beacon = (body) => async (url, text) => {
      const end = beaconEnd();
      return navigator.sendBeacon(url, body(text)) ? end : 'refused by the browser';
    };
    const json = { headers: { 'Content-Type': 'application/json' } };
    const WAYS = {
      'fetch': ask(json),
      'fetch with credentials': ask({ ...json, credentials: 'include' }),
      'fetch with credentials and a header of the page': ask({ headers: { ...json.headers, 'X-Shop': '1' }, credentials: 'include' }),
      'fetch with keepalive': ask({ ...json, keepalive: true }),
      'text with credentials': ask({ credentials: 'include' }),
      'beacon of text': beacon((text) => text),
      'beacon of JSON': beacon((text) => new Blob([text], { type: 'application/json' })),
      'XMLHttpRequest with credentials': (url, body) =>
        new Promise((resolve) => {
          const request = new XMLHttpRequest();
          request.open('POST', url);
          request.withCredentials = true;
          request.setRequestHeader('Content-Type', 'application/json');
          request.onload = () => resolve(request.status);
          request.onerror = () => resolve('network error');
          request.send(body);
        }),
    };
    const answers = [];
    for (const { path, way, body } of writes) answers.push(await WAYS[way](`${server}${path}`, JSON.stringify(body)));
    const read = (path) => fetch(`${server}${path}`, { credentials: 'include' }).then((answer) => answer.status, () => 'unreadable');
    return { writes: answers, reads: await Promise.all(reads.map(read)) };
  },
  { server, writes, reads },
);
console.log(JSON.stringify({ login, ...told }));
await close();
site.close();
