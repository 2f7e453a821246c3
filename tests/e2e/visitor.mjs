// The browser of the programs here: a real Chromium with a profile of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const { chromium } = createRequire(new URL('../../tracker_js/package.json', import.meta.url))('playwright-core');
export const modules = fileURLToPath(new URL('../../tracker_js/node_modules/', import.meta.url));
export const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
/** A visitor's: headless Chromium calls itself HeadlessChrome, which a server rightly lists as a bot. */
export const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';
export const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Removes a browser's folder. Its child processes end after it and still write there, so a removal may find new files. */
export async function removeProfile(folder) {
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

/**
 * A browser that is a visitor's. A program that takes longer than `ms` ends, and says so: a test that waits for it must
 * not wait for ever.
 */
export async function openVisitor(ms, options = {}) {
  const watchdog = setTimeout(() => {
    console.error(`${process.argv[1]} took longer than ${ms} ms`);
    process.exit(1);
  }, ms);
  const profile = await mkdtemp(join(tmpdir(), 'drive-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    timeout: ms,
    // As a switch, not by Playwright: its emulation does not reach the requests that outlive their page.
    args: [`--user-agent=${USER_AGENT}`, ...FLAGS],
    ...options,
  });
  browser.setDefaultTimeout(ms / 5);
  return {
    browser,
    async close() {
      clearTimeout(watchdog);
      await browser.close();
      await removeProfile(profile);
    },
  };
}
