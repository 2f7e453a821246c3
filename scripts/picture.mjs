// Visits the demo shop in a real Chromium, replays that visit and takes a picture of the replay:
// node picture.mjs <baseUrl> <file.jpg>. It waits for answers of the server and for what the page shows, never for time.
import { openVisitor } from '../tests/e2e/visitor.mjs';

const [base, path] = process.argv.slice(2);
if (!path) {
  console.error('usage: node picture.mjs <baseUrl> <file.jpg>');
  process.exit(2);
}
const byTestId = (name) => `[data-testid="${name}"]`;

const visitor = await openVisitor(90_000, { viewport: { width: 1280, height: 800 } });
try {
  const page = visitor.browser.pages()[0];
  const started = page.waitForResponse((response) => response.request().method() === 'POST' && new URL(response.url()).pathname === '/api/v1/sessions');
  await page.goto(`${base}/demo`);
  await started;

  // The visit: a list, a product, and a form that is filled in.
  await page.mouse.move(300, 300);
  await page.mouse.move(700, 500, { steps: 20 });
  await page.click(byTestId('filter-table'));
  await page.click(byTestId('name-kettle'));
  await page.click(byTestId('add-to-cart'));
  await page.click(byTestId('to-account'));
  for (const [field, text] of [['name', 'Ada Finch'], ['email', 'ada.finch@example.org'], ['tel', '+351 912 345 678'], ['password', 'hunter2-S3cret']]) {
    await page.click(byTestId(field));
    await page.keyboard.type(text, { delay: 20 });
  }
  await page.click(byTestId('show-password'));
  await page.mouse.move(640, 420, { steps: 30 });
  await page.evaluate(() => window.tracker.stop());

  // The replay, stopped at its end.
  const opened = page.waitForEvent('popup');
  await page.getByText('watch this visit').click();
  const replay = await opened;
  await replay.setViewportSize({ width: 1000, height: 946 });
  await replay.frameLocator('.replayer-wrapper > iframe').locator(`${byTestId('password')}[type="text"]`).waitFor();
  await replay.screenshot({ path, type: 'jpeg', quality: 80, animations: 'disabled' });
} finally {
  await visitor.close();
}
