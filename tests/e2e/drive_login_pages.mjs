// Comes in as people do, in a real Chromium: node drive_login_pages.mjs <owner's link> <folder for pictures or ->
// Prints one JSON object about what the pages showed; waits on what they show, never on time.
import { openVisitor } from './visitor.mjs';

const [ownerLink, pictures] = process.argv.slice(2);
const [OWNER, GUEST] = ['ann@shop.example', 'bob@shop.example'];
const [PASSWORD, OTHER] = ['a few words together', 'words that bob chose'];
const report = { shown: {}, errors: [], requests: [] };
/** Everything that was opened. */
const visitors = [];

async function open() {
  const visitor = await openVisitor(90_000, { viewport: { width: 1000, height: 760 } });
  visitors.push(visitor);
  const { browser } = visitor;
  const page = browser.pages()[0] ?? (await browser.newPage());
  page.on('pageerror', (error) => report.errors.push(error.message));
  page.on('console', (message) => message.text().includes('Content Security Policy') && report.errors.push(message.text()));
  browser.on('request', (request) => report.requests.push(request.url()));
  return page;
}

/** What the page shows, under a name; also as a picture. */
async function note(page, name) {
  report.shown[name] = await page.locator('section:visible').innerText();
  if (pictures !== '-') await page.screenshot({ path: `${pictures}/${name.replaceAll(' ', '-')}.png` });
}

async function fill(page, email, password) {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.locator('form button').click();
}

try {
  const page = await open();
  const inside = (it) => it.getByRole('heading', { name: 'You are logged in' }).waitFor();

  await page.goto(ownerLink);
  await page.getByRole('button', { name: 'Make the account' }).waitFor();
  await note(page, 'first owner');
  await fill(page, OWNER, OWNER);
  await page.getByRole('alert').filter({ hasText: 'e-mail' }).waitFor();
  await note(page, 'bad password');
  await fill(page, OWNER, PASSWORD);
  await inside(page);
  await note(page, 'owner is in');
  report.url = page.url();

  await page.goto(ownerLink);
  await page.getByRole('alert').filter({ hasText: 'used already' }).waitFor();
  await note(page, 'used link');

  const invite = (body) =>
    page.evaluate(async (sent) => {
      const me = await (await fetch('/api/v1/me')).json();
      const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': me.csrf_token };
      return (await (await fetch('/api/v1/invitations', { method: 'POST', headers, body: JSON.stringify(sent) })).json()).link;
    }, body);
  const [forGuest, forAnybody] = [await invite({ role: 'editor', email: GUEST }), await invite({ role: 'viewer' })];

  await page.goto(forAnybody);
  await page.getByRole('button', { name: `Join as ${OWNER}` }).waitFor();
  await note(page, 'invited while logged in');
  await page.getByRole('button', { name: `Join as ${OWNER}` }).click();
  await inside(page);

  const guest = await open();
  await guest.goto(forGuest);
  await guest.getByRole('button', { name: 'Join' }).waitFor();
  await note(guest, 'invited');
  await fill(guest, OWNER, PASSWORD);
  await guest.getByRole('alert').filter({ hasText: 'somebody else' }).waitFor();
  await fill(guest, GUEST, OTHER);
  await inside(guest);
  await note(guest, 'guest is in');
  await guest.getByRole('button', { name: 'Log out' }).click();
  await guest.getByRole('heading', { name: 'Log in' }).waitFor();
  await fill(guest, GUEST, PASSWORD);
  await guest.getByRole('alert').filter({ hasText: 'no account' }).waitFor();
  await note(guest, 'login refused');
  await fill(guest, GUEST, OTHER);
  await inside(guest);
  await guest.setViewportSize({ width: 360, height: 640 });
  await note(guest, 'on a phone');
  report.cookie_is_readable = await guest.evaluate(() => document.cookie.includes('tracker_login'));
} finally {
  for (const visitor of visitors) await visitor.close();
}
console.log(JSON.stringify(report));
