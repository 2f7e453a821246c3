import { readFileSync } from 'node:fs';
import { runInThisContext } from 'node:vm';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Tracker } from '../src/api.js';

type Call = [string, ...unknown[]];
type Stub = Tracker & { q?: Call[] };
const page = window as unknown as Record<string, Stub | undefined>;
const names = ['tracker', 'second'];

/** The snippet that the documentation puts before the tag. */
const SNIPPET = /<script>(window\.tracker=.*)<\/script>/.exec(readFileSync('../docs/how-to/record-a-site.md', 'utf8'))?.[1] ?? '';
const stub = (): void => {
  runInThisContext(SNIPPET);
};
/** Runs the script as a tag with these attributes. */
const run = async (attributes: Record<string, string> = {}): Promise<void> => {
  document.querySelectorAll('script').forEach((script) => {
    script.remove();
  });
  const tag = document.createElement('script');
  tag.setAttribute('src', 'https://t.example/base/tracker.js');
  tag.type = 'not-run';
  for (const [name, value] of Object.entries({ project: 'pk', ...attributes })) tag.setAttribute(`data-${name}`, value);
  document.body.append(tag);
  vi.resetModules();
  await import('../src/index');
};

const info = vi.fn();
beforeEach(() => {
  localStorage.clear();
  vi.stubGlobal('PART_HASHES', {});
  vi.stubGlobal('fetch', () => Promise.reject(new Error('offline')));
  vi.spyOn(console, 'info').mockImplementation(info);
});
afterEach(async () => {
  for (const name of names) {
    await page[name]?.stop();
    Reflect.deleteProperty(window, name);
  }
});

test('an element whose id is the tracker name is not taken for the tracker', async () => {
  document.body.innerHTML = '<form id="tracker"></form>';
  await run();
  expect(typeof window.tracker?.init).toBe('function');
});

test('the same tag twice is one tracker', async () => {
  await run();
  const first = window.tracker;
  await run();
  expect(window.tracker).toBe(first);
});

test('the same tag twice is one tracker, also behind the stub', async () => {
  stub();
  await run();
  const init = window.tracker?.init;
  await run();
  expect(window.tracker?.init).toBe(init);
});

test('a tag with another name is another tracker', async () => {
  await run();
  await run({ project: 'other', name: 'second' });
  expect(page.second).toBeDefined();
  expect(page.second).not.toBe(window.tracker);
});

test('calls of the stub are replayed, and the stub becomes the tracker', async () => {
  stub();
  const kept = window.tracker;
  if (!kept) throw new Error('the snippet made no tracker');
  const { track } = kept;
  const calls: Call[] = [];
  kept.track('one', 1);
  kept.identify('ada');
  await run({ auto: 'false' });
  expect(window.tracker).toBe(kept);
  vi.spyOn(kept, 'track').mockImplementation((...given) => calls.push(['track', ...given]));
  expect(() => { track('two'); }).not.toThrow();
  expect(kept.sessionId).toBe('');
  expect(kept).toHaveProperty('q.push');
});

test('a failure to load is logged only with the option debug', async () => {
  await run();
  await vi.waitUntil(() => true);
  expect(info).not.toHaveBeenCalled();
});
