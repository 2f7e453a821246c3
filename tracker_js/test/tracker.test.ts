import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTracker } from '../src/tracker';
import type { Tracker } from '../src/types';

interface Post {
  path: string;
  body: { session_id: string; user_id?: string; events?: { event_type: string; page_url: string; event_data?: unknown }[] };
}

let posts: Post[] = [];
let tracker: Tracker;
let status = 201;

const events = () => posts.flatMap(({ body }) => body.events ?? []);

beforeEach(() => {
  localStorage.clear();
  document.body.innerHTML = '';
  posts = [];
  status = 201;
  vi.stubGlobal('fetch', (url: string, init: { body: string }) => {
    posts.push({ path: new URL(url).pathname, body: JSON.parse(init.body) as Post['body'] });
    return Promise.resolve(new Response(null, { status }));
  });
  tracker = createTracker({ project: 'pk', endpoint: 'https://t.example/' }, () => Promise.reject(new Error('no drawing here')));
});
afterEach(() => tracker.stop());

test('a visit starts with its session and a page view, once a visit', async () => {
  tracker.init();
  tracker.init();
  await tracker.flush();
  await tracker.stop();
  tracker.init();
  await tracker.flush();
  expect(posts.map(({ path }) => path)).toEqual(['/api/v1/sessions', '/api/v1/track', '/api/v1/track']);
  expect(events().map(({ event_type }) => event_type)).toEqual(['pageview', 'pageview']);
  expect(new Set(posts.map(({ body }) => body.session_id)).size).toBe(1);
});

test('nothing that a page does with the tracker throws, before or after its start', async () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  for (const start of [() => undefined, () => {
    tracker.init();
  }]) {
    start();
    tracker.track('circular', circular);
    tracker.track(undefined as unknown as string, 1n);
    tracker.identify(null as unknown as string);
    await tracker.screenshot();
    await tracker.flush();
  }
  tracker.track('kept', { n: 1 });
  await tracker.flush();
  expect(events().at(-1)?.event_data).toEqual({ name: 'kept', data: { n: 1 } });
});

test('a user is told to the server and kept for the next visit', async () => {
  tracker.init();
  tracker.identify('ada');
  await tracker.flush();
  expect(posts.filter(({ path }) => path.endsWith('/sessions')).map(({ body }) => body.user_id)).toEqual([undefined, 'ada']);
});

test('a password is taken out of what the page says about itself', async () => {
  document.body.innerHTML = '<input type="password">';
  tracker.init();
  const field = document.querySelector('input');
  if (field) field.value = 'hunter2-S3cret';
  history.replaceState(null, '', '/reset?p=hunter2-S3cret');
  tracker.track('oops', { deep: [{ typed: 'my hunter2-S3cret' }] });
  window.dispatchEvent(new ErrorEvent('error', { message: 'bad hunter2-S3cret', error: new Error('bad hunter2-S3cret') }));
  await tracker.flush();
  expect(JSON.stringify(posts)).not.toContain('hunter2');
  expect(events().map(({ event_type }) => event_type)).toEqual(['pageview', 'pageview', 'custom', 'error']);
});

test('a refused key takes all observers away', async () => {
  status = 401;
  tracker.init();
  await tracker.flush();
  status = 201;
  const before = posts.length;
  document.dispatchEvent(new MouseEvent('click'));
  await tracker.flush();
  expect(posts.length).toBe(before);
});

test('after its end the tracker says nothing more', async () => {
  tracker.init();
  await tracker.stop();
  const before = posts.length;
  document.body.click();
  history.pushState(null, '', '/after');
  tracker.track('after');
  window.dispatchEvent(new Event('pagehide'));
  await tracker.flush();
  expect(posts.length).toBe(before);
});
