// Visits the demo as a person would, in a real Chromium: node drive_demo.mjs <baseUrl>
// Prints one JSON object about what was done; waits on answers of the server and on what the page shows, never on time.
import { openVisitor } from './visitor.mjs';

const base = process.argv[2]?.replace(/\/+$/, '');
if (!base) {
  console.error('usage: node drive_demo.mjs <baseUrl>');
  process.exit(2);
}
const PASSWORD = 'hunter2-S3cret';

/** What the page that replays a visit says and shows, and whether a program of the replayed page has run. */
async function watch(page, last = 'h1') {
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  const frame = page.frameLocator('.replayer-wrapper > iframe');
  const shown = await frame.locator('h1').textContent();
  await frame.locator(last).waitFor({ state: 'attached' });
  for (const event of ['click', 'pointermove', 'error', 'load']) await frame.locator(last).dispatchEvent(event, { bubbles: true });
  const hit = await page.evaluate(async () => {
    // Nor may a program run that got out of the frame.
    for (const [tag, text] of [['script', 'window.hit = 3'], ['div', '<img src="data:," onerror="window.hit = 4">']]) {
      const element = document.body.appendChild(document.createElement(tag));
      if (tag === 'script') element.textContent = text;
      else element.innerHTML = text;
    }
    for (let frame = 0; frame < 10; frame++) await new Promise(requestAnimationFrame);
    return window.hit ?? null;
  });
  return { state: await page.locator('[data-testid="watch-state"]').textContent(), shown, hit, problems };
}

/** A session whose recording tries to run a program in the page that replays it, in all ways that a page has. */
async function attack() {
  const { session_id: session } = await (await fetch(`${base}/api/v1/sessions`, { method: 'POST', body: JSON.stringify({ page_url: `${base}/` }) })).json();
  const program = 'top.hit = document.title || 1';
  let id = 1;
  const element = (tagName, attributes = {}, ...childNodes) => ({ type: 2, id: id++, tagName, attributes, childNodes });
  const text = (textContent) => ({ type: 3, id: id++, textContent });
  const body = element('body', { onload: program },
    element('script', {}, text(program)), element('script', { src: `data:text/javascript,${program}` }),
    element('img', { src: 'data:,', onerror: program }), element('svg', { onload: program }),
    element('iframe', { src: `javascript:${program}` }), element('iframe', { srcdoc: `<script>${program}</script>` }),
    element('object', { data: `data:text/html,<script>${program}</script>` }), element('embed', { src: `javascript:${program}` }),
    element('meta', { 'http-equiv': 'refresh', content: `0;url=javascript:${program}` }), element('base', { href: 'https://other.example/' }),
    element('style', {}, text('h1 { color: red }</style><script>top.hit = 2</script>')), element('input', { autofocus: true, onfocus: program }),
    element('h1', {}, text('Made up')));
  const page = { type: 0, id: id++, childNodes: [{ type: 1, id: id++, name: 'html', publicId: '', systemId: '' }, element('html', {}, element('head'), body)] };
  const timestamp = Date.now() - 2_000;
  const events = [
    { type: 4, data: { href: `javascript:${program}`, width: 800, height: 600 }, timestamp },
    { type: 2, data: { node: page, initialOffset: { left: 0, top: 0 } }, timestamp: timestamp + 1 },
    { type: 3, data: { source: 0, adds: [{ parentId: body.id, nextId: null, node: element('img', { class: 'last', src: 'data:,', onerror: program }) }], removes: [], texts: [], attributes: [{ id: body.id, attributes: { onclick: program, onpointermove: program } }] }, timestamp: timestamp + 100 },
    { type: 3, data: { source: 2, type: 2, id: body.id, x: 5, y: 5 }, timestamp: timestamp + 200 },
  ];
  const answer = await fetch(`${base}/api/v1/track/recording`, { method: 'POST', body: JSON.stringify({ session_id: session, events }) });
  if (!answer.ok) throw new Error(`the recording was answered ${answer.status}: ${await answer.text()}`);
  return session;
}

const visitor = await openVisitor(90_000, { viewport: { width: 1280, height: 800 } });
const { browser } = visitor;

const report = { session_id: '', started_at: new Date().toISOString(), ended_at: '', password: PASSWORD, clicked_selectors: [], pages: [], screenshots: [], typed: {}, answers: {}, page_errors: [] };
try {
  const page = browser.pages()[0] ?? (await browser.newPage());
  page.on('pageerror', (error) => report.page_errors.push(error.message));
  const isPost = (path) => (response) => response.request().method() === 'POST' && new URL(response.url()).pathname === `/api/v1${path}`;
  browser.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (response.request().method() === 'POST') (report.answers[pathname] ??= []).push(response.status());
  });

  /** Does what leads to another page (or step), and waits until the server has that page's screenshot. */
  const visit = async (act) => {
    const shot = page.waitForResponse(isPost('/track/screenshot'));
    await act();
    const answer = await shot;
    if (answer.status() !== 201) throw new Error(`the screenshot was answered ${answer.status()}`);
    const { screenshot_id: id } = await answer.json();
    const [url, height] = await page.evaluate(() => [location.href, document.documentElement.scrollHeight]);
    report.pages.push(url);
    report.screenshots.push({ screenshot_id: id, page_url: url, page_height: height });
  };
  const button = (testId) => `[data-testid="${testId}"]`;
  const click = async (testId, options) => {
    const found = await page.locator(button(testId)).count();
    if (found !== 1) throw new Error(`${button(testId)} found ${found} elements`);
    await page.click(button(testId), options);
    report.clicked_selectors.push(button(testId));
  };
  const type = async (testId, text) => {
    await page.locator(button(testId)).pressSequentially(text);
    report.typed[button(testId)] = text;
  };

  const started = page.waitForResponse(isPost('/sessions'));
  await visit(() => page.goto(`${base}/demo`));
  const session = await (await started).json();
  report.session_id = session.session_id;
  const shown = await page.locator(button('session-id')).textContent();
  if (shown !== report.session_id) throw new Error(`the page shows session ${shown}, the server has ${report.session_id}`);

  // The list.
  await page.mouse.move(200, 300);
  await page.mouse.move(700, 500, { steps: 20 });
  await click('filter-table');
  await visit(() => click('name-kettle'));

  // The product: read to the end, then buy.
  await page.mouse.wheel(0, 900);
  await page.waitForFunction(() => window.scrollY > 0);
  await click('add-to-cart');
  await page.getByText('In the bag: 1 × Copper kettle').waitFor();
  await click('added', { clickCount: 3 });
  await visit(() => click('to-account'));

  // The form: a password is typed hidden, shown, and typed once more.
  await type('name', 'Maeve Canary');
  await type('email', 'ada.finch@example.org');
  await type('tel', '+351 912 345 678');
  await type('password', PASSWORD);
  await click('show-password');
  await page.locator(`${button('password')}[type="text"]`).waitFor();
  await page.fill(button('password'), '');
  await type('password', PASSWORD);
  await type('card', '4242 4242 4242 4242');
  await type('note', 'For the window table');
  await page.keyboard.press('Tab');
  const broken = page.waitForEvent('pageerror');
  await click('throw-error');
  await broken;
  await click('reject-promise');
  const missing = page.waitForResponse((response) => response.status() === 404);
  await click('break-image');
  await missing;
  await visit(() => click('continue'));

  // Checkout: steps of a single-page app, one back.
  await visit(() => click('step-delivery'));
  await visit(() => click('to-review'));
  // Two pages that have not changed since: of each there is a screenshot.
  await page.goBack();
  await page.locator(button('to-review')).waitFor();
  report.pages.push(page.url());
  await click('step-review');
  await page.locator(button('place-order')).waitFor();
  report.pages.push(page.url());
  await visit(() => click('place-order'));

  // What is left goes now; afterwards this session says nothing more.
  await page.evaluate(() => window.tracker.stop());
  report.ended_at = new Date().toISOString();

  // The visit, watched again; then one that somebody made up to run a program here.
  const opened = page.waitForEvent('popup');
  await page.getByText('watch this visit').click();
  report.watched = await watch(await opened);
  const attacked = await attack();
  await page.goto(`${base}/demo/watch.html?session=${attacked}`);
  report.attacked = { session: attacked, ...(await watch(page, 'img.last')) };
  console.log(JSON.stringify(report));
} finally {
  await visitor.close();
}
