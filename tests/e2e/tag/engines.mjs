// A visit in Firefox or in WebKit: node engines.mjs firefox|webkit '{"browser", "server", "key"}'
// Prints one JSON object about what was done and seen. `browser` is the program; WebKit's has a driver, and wants a screen.
import { spawn } from 'node:child_process';
import { createServer, request as ask } from 'node:http';
import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';

const require = createRequire(new URL('../../../tracker_js/package.json', import.meta.url));
const [engine, settings] = process.argv.slice(2);
const { browser, server, key } = JSON.parse(settings);
const TIMEOUT_MS = 240_000;
/** Nothing waits for it but pages that are asked again. */
const AGAIN_MS = 100;
const pause = () => new Promise((resolve) => setTimeout(resolve, AGAIN_MS));

/** The server takes nothing for now. */
let isDown = false;
/** What went to the tracker's server: from which site, where, the body unpacked. */
const wire = [];
const tracker = createServer((incoming, outgoing) => {
  const parts = [];
  incoming.on('data', (part) => parts.push(part));
  incoming.on('end', () => {
    const body = Buffer.concat(parts);
    const { origin, referer } = incoming.headers;
    const sent = {
      from: origin ?? (referer && new URL(referer).origin),
      call: `${incoming.method} ${incoming.url.replace(/\?.*/, '').replace(/-[A-Z0-9]{8}\.js/, '.js')}`,
      text: incoming.url + (body[0] === 0x1f ? gunzipSync(body) : body).toString(),
      isStored: false,
    };
    wire.push(sent);
    if (isDown && incoming.method === 'POST') {
      outgoing.writeHead(503, { 'Access-Control-Allow-Origin': '*' }).end();
      return;
    }
    const onward = ask(server + incoming.url, { method: incoming.method, headers: { ...incoming.headers, host: new URL(server).host } }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
      sent.isStored = true;
    });
    onward.on('error', () => outgoing.destroy());
    onward.end(body);
  });
});
const PAGE = `<!doctype html><meta charset="utf-8"><title>Shop</title>TAG<h1>Shop</h1><button id="go">Go</button>
<form id="form"><input name="city" data-unmask><input name="pw" type="password"><input name="mail"><button id="send">Send</button></form>
<div id="rich" contenteditable>x</div><p data-private>private-words</p><div id="host"></div><div style="height: 3000px"></div><script>
form.onsubmit = () => false; go.onclick = () => document.body.append('clicked');
host.attachShadow({ mode: 'open' }).innerHTML = '<button id="in">In</button>';
window.fail = () => { setTimeout(() => { throw new Error('thrown'); }); Promise.reject(new Error('rejected')); return fetch('/none'); };
</script>`;
const listen = (one) => new Promise((resolve) => one.listen(0, '127.0.0.1', () => resolve(one.address().port)));
const host = `http://127.0.0.1:${await listen(tracker)}`;
const siteOf = (attributes) =>
  createServer(({ url }, answer) => {
    const tag = `<script async src="${host}/tracker.js" data-project="${key}" ${attributes}></script>`;
    answer.writeHead(url === '/none' ? 404 : 200, { 'Content-Type': 'text/html; charset=utf-8' }).end(PAGE.replace('TAG', tag));
  });
const base = `http://localhost:${await listen(siteOf('data-record="true" data-screenshots="false"'))}`;
const careful = `http://localhost:${await listen(siteOf('data-consent="required"'))}`;

const children = [];
const start = (program, args, options) => {
  const child = spawn(program, args, { detached: true, ...options });
  children.push(child);
  return child;
};
const freePort = async () => {
  const one = createServer();
  const port = await listen(one);
  await new Promise((resolve) => one.close(resolve));
  return port;
};

async function firefox() {
  const { launch } = require('puppeteer-core');
  const opened = await launch({ browser: 'firefox', executablePath: browser, headless: true, protocolTimeout: TIMEOUT_MS });
  let [page] = await opened.pages();
  return {
    goto: (url) => page.goto(url),
    run: (code) => page.evaluate(code),
    click: async (code) => (await page.evaluateHandle(code)).click(),
    type: (selector, text) => page.type(selector, text),
    back: () => page.goBack(),
    forward: () => page.goForward(),
    async inTab(act) {
      const first = page;
      page = await opened.newPage();
      await act();
      await page.close();
      page = first;
    },
    close: () => opened.close(),
  };
}

async function webkit() {
  const { Builder, By, Capabilities } = require('selenium-webdriver');
  const screen = start('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const display = await new Promise((resolve, reject) => {
    screen.stdio[3].once('data', (number) => resolve(`:${number.toString().trim()}`));
    screen.once('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)));
    screen.once('error', reject);
  });
  const port = await freePort();
  start('WebKitWebDriver', [`--port=${port}`], { stdio: 'ignore', env: { ...process.env, DISPLAY: display } });
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/status`).catch(() => undefined))) await pause();
  const wanted = new Capabilities({ browserName: 'MiniBrowser', 'webkitgtk:browserOptions': { binary: browser, args: ['--automation'] } });
  const driver = await new Builder().usingServer(url).withCapabilities(wanted).build();
  await driver.manage().setTimeouts({ script: TIMEOUT_MS });
  return {
    goto: (url) => driver.get(url),
    async run(code) {
      const found = await driver.executeAsyncScript(`const done = arguments[0]; Promise.resolve(${code}).then((value) => done({ value }), (error) => done({ failed: String(error) }));`);
      if (found.failed) throw new Error(found.failed);
      return found.value;
    },
    click: async (code) => (await driver.executeScript(`return ${code}`)).click(),
    type: async (selector, text) => (await driver.findElement(By.css(selector))).sendKeys(text),
    back: () => driver.navigate().back(),
    forward: () => driver.navigate().forward(),
    async inTab(act) {
      const first = await driver.getWindowHandle();
      await driver.switchTo().newWindow('tab');
      await act();
      await driver.close();
      await driver.switchTo().window(first);
    },
    close: () => driver.quit(),
  };
}

const end = () => {
  for (const { pid } of children) {
    try {
      process.kill(-pid);
    } catch {
      // It has ended by itself.
    }
  }
};
process.on('exit', end);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
setTimeout(() => {
  console.error(`the visit took longer than ${TIMEOUT_MS} ms`);
  process.exit(1);
}, TIMEOUT_MS).unref();

const visitor = await (engine === 'firefox' ? firefox : webkit)();
const run = (code) => visitor.run(code);
const until = async (code) => {
  while (!(await run(code))) await pause();
};
const open = async (url) => {
  await visitor.goto(url);
  await until('!!window.tracker?.sessionId');
};
/** What waits on disk, read in a transaction of the page's own. */
const ROWS = `new Promise((resolve, reject) => {
  const opening = indexedDB.open('tracker.outbox');
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const reading = opening.result.transaction('items').objectStore('items').getAll();
    reading.onerror = () => reject(reading.error);
    reading.onsuccess = () => { opening.result.close(); resolve(JSON.stringify(reading.result)); };
  };
})`;

await open(`${base}/`);
const report = { agent: await run('navigator.userAgent'), session: await run('tracker.sessionId') };
await visitor.click('go');
for (const [name, text] of [['city', 'Paris'], ['pw', 'typed-password'], ['mail', 'ada@example.org']]) await visitor.type(`[name=${name}]`, text);
await visitor.type('#rich', 'rich-words');
await visitor.click('send');
await visitor.click('host.shadowRoot.querySelector("button")');
await run('fail().then(() => 0)');
await run('(history.pushState(null, "", "/pushed?token=secret-token"), tracker.identify("ada", { plan: "pro" }), tracker.track("bought", { price: 5 }), 0)');
await run('tracker.screenshot().then(() => 0)');
await run('tracker.flush().then(() => 0)');

await run('(tracker.track("leaving"), 0)');
await open(`${base}/two`);
isDown = true;
await run('(tracker.track("without a server"), 0)');
await until(`${ROWS}.then((rows) => rows.includes('without a server'))`);
await visitor.goto('about:blank');
isDown = false;
await open(`${base}/three`);
// The page before may still hold what it left.
await until(`${ROWS}.then((rows) => !rows.includes('without a server'))`);

await open(`${base}/four`);
await visitor.back();
await until('location.pathname === "/three" && !!window.tracker?.sessionId');
await visitor.forward();
await until('location.pathname === "/four" && !!window.tracker?.sessionId');
await run('(tracker.track("there and back"), 0)');
// Pages that rest keep nobody from the disk.
await until(`${ROWS}.then((rows) => rows === '[]')`);

await visitor.inTab(async () => {
  await open(`${base}/tab`);
  await run('tracker.flush().then(() => 0)');
  await run('(tracker.track("closing"), 0)');
});
while (!wire.some(({ text, isStored }) => isStored && text.includes('"closing"'))) await pause();
report.sent = wire.filter(({ from }) => from === base).map(({ call, text }) => [call, text]);

await visitor.goto(`${careful}/`);
await until('!!window.tracker?.optIn');
const kept = 'JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage), document.cookie])';
report.before = [wire.filter(({ from }) => from === careful).map(({ call }) => call), await run(kept)];
await run('(tracker.optIn(), 0)');
await until('!!window.tracker.sessionId');
await run('tracker.flush().then(() => 0)');
report.agreed = await run('tracker.sessionId');
await visitor.close();
process.stdout.write(JSON.stringify(report), () => process.exit(0));
