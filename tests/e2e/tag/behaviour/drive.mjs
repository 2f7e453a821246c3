// Visits pages made for one kind of case each, in a real Chromium: node drive.mjs <server>
// Prints one JSON object about what was done on which page, by case, with the session it was recorded in. Waits on what
// pages and the server say, never on time: where time must pass (dead clicks), it is the page's clock that is moved.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openVisitor, USER_AGENT } from '../../visitor.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const server = process.argv[2]?.replace(/\/+$/, '');
if (!server) {
  console.error('usage: node drive.mjs <server>');
  process.exit(2);
}
/** Of everything, so that a test that waits for us never waits longer. */
const TIMEOUT_MS = 300_000;
/** How long a visitor looks at a question. */
const DIALOG_MS = 400;
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css' };
const TAG = `<script async src="${server}/tracker.js" data-screenshots="false"></script>`;
/** Nothing but what the tag needs, and the page's own files. */
const POLICY = `default-src 'none'; script-src 'self' ${server}; connect-src 'self' ${server}; style-src 'self'`;

const site = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://site');
  // Never answered: what asks for it gives up by itself.
  if (pathname === '/slow') return;
  if (pathname === '/broken') {
    response.writeHead(500).end();
    return;
  }
  readFile(join(here, pathname.slice(1) || 'plain.html')).then(
    (content) => {
      const type = TYPES[extname(pathname)] ?? TYPES['.html'];
      const headers = { 'Content-Type': type };
      if (searchParams.has('policy')) headers['Content-Security-Policy'] = POLICY;
      const text = content.toString().replace('<!--tag-->', TAG.replace('<script', `<script ${searchParams.get('options') ?? ''}`)).replace('OTHER', other);
      response.writeHead(200, headers).end(text);
    },
    () => response.writeHead(404).end(),
  );
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
// `localhost` is another site than 127.0.0.1, and not only another port.
const base = `http://localhost:${site.address().port}`;
const other = `http://127.0.0.1:${site.address().port}`;
/** Where nobody listens. */
const nowhere = await new Promise((resolve) => {
  const taken = createServer().listen(0, '127.0.0.1', () => {
    const { port } = taken.address();
    taken.close(() => resolve(`http://127.0.0.1:${port}/refused/`));
  });
});

const visitor = await openVisitor(TIMEOUT_MS);
const browser = visitor.browser.browser();

/** The part that observes has begun: it wraps the console. */
const isObserved = () => typeof window.tracker?.flush === 'function' && tracker.sessionId !== '' && !/native code/.test(console.error.toString());

/** A visit of its own: another visitor, with nothing stored. */
async function visit(path, act, { prepare = async () => undefined, ready = isObserved } = {}) {
  const context = await browser.newContext({ userAgent: USER_AGENT, viewport: { width: 1000, height: 700 } });
  context.setDefaultTimeout(TIMEOUT_MS / 10);
  try {
    const page = await context.newPage();
    const report = { page_errors: [] };
    page.on('pageerror', (error) => report.page_errors.push(error.message));
    await prepare(page);
    await page.goto(`${base}/${path}`);
    await page.waitForFunction(ready);
    report.session = await page.evaluate(() => tracker.sessionId);
    report.url = page.url();
    Object.assign(report, await act(page));
    return report;
  } finally {
    await context.close();
  }
}
/** Observers and timers that run, by their makers' own account, and what may be wrapped. */
function watchRunning() {
  window.running = new Set();
  let count = 0;
  for (const name of ['MutationObserver', 'PerformanceObserver', 'ResizeObserver', 'IntersectionObserver']) {
    window[name] = class extends window[name] {
      #name = `${name} ${++count}`;
      observe(...given) {
        running.add(this.#name);
        return super.observe(...given);
      }
      disconnect() {
        running.delete(this.#name);
        return super.disconnect();
      }
    };
  }
  const { setTimeout: set, clearTimeout: clear, setInterval: repeat, clearInterval: unrepeat } = window;
  window.setTimeout = (callback, ms, ...given) => {
    const timer = set(() => {
      running.delete(`timer ${timer}`);
      callback(...given);
    }, ms);
    running.add(`timer ${timer}`);
    return timer;
  };
  window.clearTimeout = (timer) => {
    running.delete(`timer ${timer}`);
    clear(timer);
  };
  window.setInterval = (...given) => {
    const timer = repeat(...given);
    running.add(`interval ${timer}`);
    return timer;
  };
  window.clearInterval = (timer) => {
    running.delete(`interval ${timer}`);
    unrepeat(timer);
  };
  window.current = (name) => name.split('.').reduce((object, key) => object[key], window);
  window.originals = Object.fromEntries(['fetch', 'XMLHttpRequest.prototype.open', 'XMLHttpRequest.prototype.send', 'console.error', 'console.warn', 'history.pushState', 'history.replaceState'].map((name) => [name, current(name)]));
}

const flush = (page) => page.evaluate(() => tracker.flush());
/** All that the server stored of a session, in the order of its ids; of one type if it is named. */
async function stored(session, type = '') {
  const all = [];
  for (let cursor = ''; cursor !== undefined; ) {
    const answer = await fetch(`${server}/api/v1/sessions/${session}/events?limit=10000${type && `&event_type=${type}`}${cursor && `&cursor=${cursor}`}`);
    const { data, next_cursor: next } = await answer.json();
    all.push(...data);
    cursor = next ?? undefined;
  }
  return all;
}
/** The page goes as a visitor leaves it. Nobody is told when the server has what it said last: it is asked. */
async function leave(page, ...types) {
  const session = await page.evaluate(() => tracker.sessionId);
  await page.goto('about:blank');
  const awaited = new Set(['visibility', 'page_time', ...types]);
  while (awaited.size > 0) {
    for (const { event_type: type } of await stored(session)) awaited.delete(type);
  }
  return { missing: [...awaited] };
}

const cases = {
  plain: () =>
    visit(`plain.html?elsewhere=${encodeURIComponent(nowhere)}`, async (page) => {
      await page.mouse.move(10, 10);
      await page.mouse.move(300, 200, { steps: 5 });
      await page.click('#button');
      await page.dblclick('#title');
      await page.click('#city');
      await page.keyboard.type('Porto');
      await page.keyboard.press('Tab');
      await page.keyboard.type('hunter2-canary');
      await page.keyboard.press('Shift+Tab');
      await page.evaluate(() => new Promise((resolve) => {
        const box = document.querySelector('#box');
        box.addEventListener('scrollend', resolve, { once: true });
        box.scrollTop = 500;
      }));
      await page.evaluate(() => new Promise((resolve) => {
        document.addEventListener('scrollend', resolve, { once: true });
        scrollTo(0, 1_500);
      }));
      await page.setViewportSize({ width: 900, height: 600 });
      await page.waitForFunction(() => innerWidth === 900);
      const done = {};
      for (const name of ['failedFetch', 'failedXhr', 'reusedXhr', 'refusedFetch', 'refusedXhr', 'uncaughtFetch', 'abortedFetch', 'fineFetch', 'missingImage', 'say']) {
        const result = await page.evaluate((doing) => doings[doing](), name);
        if (typeof result === 'number') done[name] = result;
      }
      const got = await page.evaluate(() => got);
      const state = await page.evaluate(() => ({ scrollY, depth: Math.round(((scrollY + innerHeight) / document.documentElement.scrollHeight) * 100) }));
      await flush(page);
      return { done, got, state, ...(await leave(page, 'web_vital')) };
    }),

  consoles: () =>
    visit('plain.html?options=data-console=all', async (page) => {
      await page.evaluate(() => doings.say());
      await flush(page);
    }),

  switchedOff: () =>
    visit(`plain.html?options=${encodeURIComponent('data-console="error" data-network="false" data-vitals="false"')}`, async (page) => {
      const native = await page.evaluate(() => /native code/.test(fetch.toString()) && /native code/.test(XMLHttpRequest.prototype.send.toString()));
      await page.evaluate(() => doings.failedFetch());
      await flush(page);
      return { native, ...(await leave(page)) };
    }),

  spa: () =>
    visit('spa.html', async (page) => {
      await page.click('#to-part');
      await page.click('#to-cart');
      await page.locator('[name=street]').pressSequentially('Rua');
      await page.click('#back');
      await page.waitForFunction(() => location.pathname === '/home');
      await flush(page);
      return leave(page);
    }),

  forms: () =>
    visit('forms.html', async (page) => {
      await page.locator('[name=coupon]').pressSequentially('SPRING');
      await page.click('#send');
      await page.locator('[name=comment]').pressSequentially('nice');
      const posted = page.waitForResponse((response) => response.url().endsWith('/plain.js'));
      await page.click('#post');
      await posted;
      await page.locator('[name=draft]').pressSequentially('x');
      await page.click('#clear');
      await page.locator('[name=street]').pressSequentially('street-canary');
      await page.locator('[name=zip]').pressSequentially('4000');
      await page.locator('[name=pass-of-canary]').pressSequentially('hunter2-canary');
      await page.locator('[name=mail]').pressSequentially('ada.canary@example.org');
      await page.click('[name=terms]');
      await page.selectOption('[name=size]', 'M');
      await flush(page);
      return leave(page, 'form_abandon');
    }),

  shadow: () =>
    visit('shadow.html', async (page) => {
      const item = page.locator('shop-item').nth(1);
      await item.locator('p').click();
      await page.locator('[name=note]').pressSequentially('note-canary');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.locator('#closed').click({ position: { x: 20, y: 20 } });
      await page.locator('#scroller').evaluate((box) => new Promise((resolve) => {
        box.addEventListener('scrollend', resolve, { once: true });
        box.scrollTop = 100;
      }));
      await flush(page);
    }),

  frames: () =>
    visit('frames.html', async (page) => {
      const sessions = {};
      for (const id of ['same', 'other']) {
        const frame = await (await page.waitForSelector(`#${id}`)).contentFrame();
        await frame.waitForFunction(isObserved);
        await frame.click('#inside');
        sessions[id] = await frame.evaluate(async () => {
          await tracker.flush();
          return tracker.sessionId;
        });
      }
      await page.click('#outside');
      await flush(page);
      return { sessions, other };
    }),

  canvas: () =>
    visit('canvas.html', async (page) => {
      await page.clock.install();
      await page.click('#board', { position: { x: 123, y: 45 } });
      await page.clock.fastForward(3_000);
      await flush(page);
    }),

  policy: () =>
    visit('plain.html?policy', async (page) => {
      await page.click('#city');
      await page.keyboard.type('Porto');
      await page.keyboard.press('Enter');
      await page.evaluate(() => doings.failedXhr());
      await flush(page);
      return { violations: await page.evaluate(() => window.violations) };
    }, {
      prepare: (page) =>
        page.addInitScript(() => {
          window.violations = [];
          addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => violations.push(`${violatedDirective} ${blockedURI}`));
        }),
    }),

  hostile: () =>
    visit('hostile.html', async (page) => {
      await page.locator('[name=street]').pressSequentially('Rua');
      await page.locator('[name=zip]').pressSequentially('40');
      const asked = page.waitForResponse((response) => response.url().endsWith('/missing/order'));
      await page.click('#go');
      await asked;
      await page.getByText('Gone').waitFor();
      await page.locator('[name=street]').pressSequentially('!');
      await flush(page);
      return { seen: await page.evaluate(() => window.seen), kept: await page.evaluate(() => typeof [].toJSON), ...(await leave(page, 'form_abandon')) };
    }),

  many: () =>
    visit('many.html', async (page) => {
      await page.clock.install();
      await page.click('#grow');
      await page.click('#list > p:nth-of-type(3)');
      await page.clock.fastForward(3_000);
      await flush(page);
      return { rows: await page.locator('#list > p').count() };
    }),

  dead: () =>
    visit('dead.html#', async (page) => {
      page.on('dialog', (dialog) => dialog.accept());
      await page.clock.install();
      const ids = ['nothing', 'looks', 'text', 'hash', 'prevented', 'analytics', 'pressed', 'now', 'later', 'attribute', 'request', 'focuses', 'scrolls', 'onpress', 'popover'];
      ids.push('navigates', 'link', 'label', 'field', 'select', 'summary', 'invalid', 'submits', 'canvas');
      for (const id of ids) {
        await page.evaluate(() => {
          scrollTo(0, 0);
          document.activeElement?.blur();
          getSelection().removeAllRanges();
        });
        await page.clock.fastForward(1_000);
        await page.click(`#${id}`, { position: { x: 3, y: 3 } });
        await page.clock.runFor(2_100);
        await page.clock.runFor(1_000);
        await page.keyboard.press('Escape');
      }
      await page.dblclick('#selectable', { position: { x: 40, y: 8 } });
      await page.clock.runFor(3_000);
      await page.click('#nothing', { modifiers: ['Shift'] });
      await page.clock.runFor(3_000);
      await page.evaluate(() => getSelection().removeAllRanges());
      for (let i = 0; i < 3; i++) await page.click('#looks');
      await page.clock.runFor(3_000);
      // A keyboard clicks, too.
      await page.focus('#nothing');
      await page.keyboard.press('Enter');
      await page.clock.runFor(3_000);
      await flush(page);
      return { clicked: ids };
    }),

  deadInShadow: () =>
    visit('shadow.html', async (page) => {
      await page.clock.install();
      for (const part of ['dead', 'alive']) {
        await page.locator('shop-item').nth(0).locator(`[part=${part}]`).click();
        await page.clock.runFor(3_000);
      }
      await page.locator('#closed').click({ position: { x: 20, y: 20 } });
      await page.clock.runFor(3_000);
      await flush(page);
    }),

  /** A dialog stops the page, which no clock of ours can play: time passes here, and the dead click after it ends the waiting. */
  asked: () =>
    visit('dead.html', async (page) => {
      page.on('dialog', (dialog) => setTimeout(() => dialog.accept(), DIALOG_MS));
      await page.click('#asks');
      await page.click('#nothing');
      await page.waitForFunction(() => window.isTold, undefined, { polling: 'raf' });
      await flush(page);
    }, {
      prepare: (page) =>
        page.addInitScript(() => {
          const { stringify } = JSON;
          JSON.stringify = (...given) => {
            const text = stringify(...given);
            window.isTold ||= /dead_click.*#nothing/.test(text);
            return text;
          };
        }),
    }),

  selectors: () =>
    visit('selectors.html', async (page) => {
      const click = () => page.evaluate(async () => {
        const all = elements();
        for (const element of all) element.dispatchEvent(new MouseEvent('click', { bubbles: true, composed: true, cancelable: true }));
        await tracker.flush();
        return all.length;
      });
      /** What the server stored of clicks on this page's elements, in their order. */
      const selectors = async (from) => (await stored(session, 'click')).slice(from).map(({ target_selector: selector }) => selector);
      const session = await page.evaluate(() => tracker.sessionId);
      /** Which of the selectors do not find their element. */
      const lost = (all) => page.evaluate((found) => elements().flatMap((element, i) => (resolve(found[i] ?? '') === element ? [] : [`${found[i]} for ${element.outerHTML.slice(0, 80)}`])), all);

      const count = await click();
      const first = await selectors(0);
      const lostAtOnce = await lost(first);
      await page.reload();
      await page.waitForFunction(isObserved);
      const lostAfterReload = await lost(first);
      await click();
      const second = await selectors(count);
      await page.evaluate(() => addUnrelated());
      const lostAmongOthers = await lost(first);
      await click();
      const third = await selectors(2 * count);
      return {
        count,
        recorded: [first.length, second.length, third.length],
        distinct: new Set(first).size,
        lost: { at_once: lostAtOnce, after_reload: lostAfterReload, among_others: lostAmongOthers },
        changed: { after_reload: second.filter((selector, i) => selector !== first[i]), among_others: third.filter((selector, i) => selector !== first[i]) },
        longest: Math.max(...first.map((selector) => selector?.length ?? 0)),
        examples: [first[0], first[200], first[first.length - 1]],
      };
    }),

  stop: () =>
    visit('shadow.html?options=data-auto=false', async (page) => {
      const devtools = await page.context().newCDPSession(page);
      /** What the browser itself knows of listeners, wherever the tag may have put one. */
      const listeners = async () => {
        const found = [];
        for (const expression of ['window', 'document', 'document.documentElement', 'document.body', 'document.querySelector("#app").shadowRoot', 'document.querySelector("[name=note]")', 'history', 'screen', 'navigator', 'visualViewport', 'performance']) {
          const { result } = await devtools.send('Runtime.evaluate', { expression: expression.replace('document.querySelector("[name=note]")', 'document.querySelector("#app").shadowRoot.querySelector("[name=note]")') });
          const { listeners: all } = await devtools.send('DOMDebugger.getEventListeners', { objectId: result.objectId });
          found.push(...all.map(({ type }) => `${expression} ${type}`));
        }
        return found.sort();
      };
      const wrapped = () => page.evaluate(() => Object.entries(originals).filter(([name, original]) => current(name) !== original).map(([name]) => name));
      const before = await listeners();
      const beforeRunning = await page.evaluate(() => [...running]);
      await page.evaluate(() => tracker.init());
      await page.waitForFunction(() => !/native code/.test(console.error.toString()));
      await page.locator('[name=note]').pressSequentially('note');
      await page.locator('shop-item').nth(0).locator('[part=dead]').click();
      const during = { listeners: await listeners(), running: await page.evaluate(() => [...running]), wrapped: await wrapped() };
      await page.evaluate(() => tracker.stop());
      // What is written to the disk once more is on its way; nothing begins anew.
      await page.waitForFunction(() => ![...running].some((name) => name.startsWith('timer')));
      return { before, during, after: await listeners(), wrapped: await wrapped(), running: await page.evaluate(() => [...running]), beforeRunning };
    }, {
      ready: () => typeof window.tracker?.init === 'function',
      prepare: (page) => page.addInitScript(watchRunning),
    }),

};

try {
  const wanted = process.argv.slice(3);
  const report = {};
  for (const [name, run] of Object.entries(cases)) {
    if (wanted.length && !wanted.includes(name)) continue;
    try {
      report[name] = await run();
    } catch (error) {
      report[name] = { failed: error.stack };
    }
  }
  console.log(JSON.stringify(report));
} finally {
  await visitor.close();
  site.close();
  site.closeAllConnections();
}
