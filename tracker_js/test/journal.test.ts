import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Delivery, DeliveryOptions } from '../src/delivery-types';
import { createEventBatches, type EventBatches } from '../src/event-batches';
import type { ItemKey, ItemStore, StoredItem } from '../src/indexed-db';
import { json } from '../src/json';
import { createOutbox } from '../src/outbox.lazy';
import type { Requests } from '../src/requests';
import type * as stores from '../src/indexed-db';

const SESSION = 'a0000000-0000-4000-8000-000000000000';
const DAY = 86_400_000;
const never = (): void => undefined;

/** The disk of a browser, shared by all of its pages. */
let disk: Map<string, StoredItem>;
let writes: number;
let isFull: boolean;
let isEnding: boolean;
vi.mock('../src/indexed-db', async (original) => ({
  ...(await original<typeof stores>()),
  openItemStore(to: string): Promise<ItemStore> {
    const keys = (): ItemKey[] => [...disk.keys()].map((text) => JSON.parse(text) as ItemKey).filter(([server]) => server === to);
    return Promise.resolve({
      write(puts, gone, onFail, onDone) {
        writes++;
        if (isFull && puts.length > 0) {
          onFail();
          return;
        }
        // As WebKit does at the end of a page: deletes are executed, puts are lost, and no event fires.
        if (!isEnding) for (const [stored, key] of puts) disk.set(JSON.stringify(key), stored);
        for (const key of gone) disk.delete(JSON.stringify(key));
        if (!isEnding) void Promise.resolve().then(onDone);
      },
      keys: (lane) => Promise.resolve(keys().filter((key) => key[1] === lane).sort((a, b) => a[2] - b[2])),
      read: (key) => Promise.resolve(disk.get(JSON.stringify(key))),
      clear() {
        for (const key of keys()) disk.delete(JSON.stringify(key));
        return Promise.resolve();
      },
    });
  },
}));

/** The locks that pages hold, and who waits for them. */
function locks() {
  const tails = new Map<string, Promise<unknown>>();
  const held = new Set<string>();
  return {
    query: () => Promise.resolve({ held: [...held].map((name) => ({ name })) }),
    request(name: string, { signal }: { signal: AbortSignal }, granted: () => Promise<unknown>): Promise<unknown> {
      const before = tails.get(name) ?? Promise.resolve();
      const mine = before.then(() => {
        if (signal.aborted) throw new Error('aborted');
        held.add(name);
        return granted().finally(() => held.delete(name));
      });
      tails.set(name, mine.catch(never));
      return mine;
    },
  };
}

interface Sent {
  batch_id: string;
  events: number[];
}
/** A page with a tracker. Its server answers `once` first, then `status`; 0 is no response. */
function openPage(status = 201, project = 'pk', options: Partial<DeliveryOptions> = {}) {
  const sent: Sent[] = [];
  const take = (_: string, body: BodyInit): Promise<Response> => {
    sent.push(JSON.parse(body as string) as Sent);
    const status = page.once.shift() ?? page.status;
    return status === 0 ? Promise.reject(new TypeError()) : Promise.resolve(new Response(null, { status }));
  };
  const requests: Requests = { post: take, postLast: take };
  const outbox: Delivery = createOutbox({ endpoint: 'https://t.example', project, fetch, json, debug: never, onStop: never, ...options }, requests, () => 1);
  const queue: EventBatches = createEventBatches(outbox);
  let n = 0;
  const page = {
    status,
    once: [] as number[],
    sent,
    outbox,
    queue,
    capture(count: number): void {
      for (let i = 0; i < count; i++) queue.push(SESSION, String(n++));
    },
    leave(): void {
      outbox.leave(queue.close);
    },
  };
  return page;
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
/** A page that was left before its server had any of its events. */
async function openLeft(count: number) {
  const page = openPage(0);
  page.capture(count);
  page.leave();
  await pass(100);
  return page;
}
const onDisk = (): number[][] => [...disk.values()].map(({ text }) => (JSON.parse(text) as Sent).events);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
beforeEach(() => {
  disk = new Map();
  writes = 0;
  isFull = isEnding = false;
  vi.stubGlobal('CompressionStream', undefined);
  Object.defineProperty(navigator, 'locks', { value: locks(), configurable: true });
  vi.useFakeTimers({ now: Date.parse('2026-01-01') });
});
afterEach(() => {
  vi.useRealTimers();
  Reflect.deleteProperty(navigator, 'locks');
});

test('an open batch is on disk within half a second, and grows there under its id', async () => {
  const page = openPage();
  page.capture(2);
  await pass(500);
  expect(onDisk()).toEqual([upTo(2)]);
  const [name] = disk.keys();
  page.capture(1);
  await pass(500);
  expect(onDisk()).toEqual([upTo(3)]);
  expect([...disk.keys()]).toEqual([name]);
  expect(page.sent).toEqual([]);
});

test('a complete batch counts with its own size, and its prefix is removed once it is on disk', async () => {
  const page = openPage(0);
  page.capture(2);
  await pass(500);
  page.queue.close();
  await pass(500);
  expect([disk.size, writes]).toEqual([2, 2]);
  await pass(500);
  const [[name, stored] = []] = disk;
  expect([disk.size, writes]).toEqual([1, 3]);
  expect((JSON.parse(name ?? '') as ItemKey)[4]).toBe(stored?.text.length);
});

test('a browser that executes deletes but no puts at the end of a page loses nothing', async () => {
  const page = openPage(0);
  page.capture(2);
  await pass(500);
  page.capture(1);
  isEnding = true;
  page.leave();
  await pass(1_000);
  expect(onDisk()).toEqual([upTo(2)]);
});

test('a prefix is not sent when the complete batch is on disk, too', async () => {
  const page = openPage(0);
  page.capture(2);
  await pass(500);
  page.capture(1);
  page.leave();
  const left = new Map(disk);
  expect(left.size).toBe(2);
  await pass(1_000);
  disk = left;
  Object.defineProperty(navigator, 'locks', { value: locks(), configurable: true });
  const next = openPage();
  next.capture(1);
  await pass(2_000);
  expect(next.sent.map(({ events }) => events)).toEqual([upTo(3)]);
  expect(onDisk()).toEqual([[0]]);
});

test('nothing is written while nothing changes', async () => {
  const page = openPage(503);
  page.capture(2);
  await pass(10_000);
  const before = writes;
  await pass(60_000);
  expect(writes).toBe(before);
});

test('acknowledged items are removed from disk', async () => {
  const page = openPage();
  page.capture(2);
  await pass(6_000);
  expect(page.sent.map(({ events }) => events)).toEqual([upTo(2)]);
  expect(onDisk()).toEqual([]);
});

test('events saved before the rules are known are masked on disk, too, and removed when acknowledged', async () => {
  let release: () => void = never;
  const ready = new Promise<void>((resolve) => (release = resolve));
  let secret = 'nothing';
  const page = openPage(503, 'pk', { ready, remask: (text) => text.replaceAll(secret, '7') });
  page.capture(51);
  await pass(1_000);
  expect([page.sent.length, onDisk()]).toEqual([0, [upTo(50), [50]]]);
  secret = '50';
  release();
  await pass(600);
  expect(onDisk()).toEqual([upTo(50), [7]]);
  page.status = 201;
  await pass(10_000);
  expect(page.sent.at(-1)?.events).toEqual([7]);
  expect(onDisk()).toEqual([]);
});

test('a page that goes saves everything before its last requests', async () => {
  const page = openPage(0);
  page.capture(2);
  await pass(100);
  page.leave();
  // The complete batch, and its prefix, which is removed if the page lives on.
  expect(onDisk()).toEqual([upTo(2), upTo(2)]);
  expect(page.sent).toHaveLength(1);
});

test('an event that comes after the last requests is saved at once, too', async () => {
  const page = openPage(0);
  page.capture(1);
  await pass(500);
  page.leave();
  page.capture(1);
  page.leave();
  expect(onDisk()).toEqual([[0], [0], [1]]);
});

test('the next page sends what the last one has left, in order, under the same ids', async () => {
  const page = await openLeft(120);
  const next = openPage();
  next.capture(1);
  await pass(100);
  expect(next.sent.map(({ events }) => events)).toEqual([upTo(120).slice(0, 50), upTo(120).slice(50, 100), upTo(120).slice(100)]);
  expect(next.sent.map(({ batch_id }) => batch_id)).toEqual([...new Set(page.sent.map(({ batch_id }) => batch_id))]);
  await pass(500);
  expect(onDisk()).toEqual([[0]]);
});

test('a page without items of its own recovers those of others, and clears only its own', async () => {
  await openLeft(60);
  const next = openPage(0);
  await pass(500);
  next.capture(1);
  await pass(500);
  await next.outbox.clear(true);
  next.status = 201;
  await pass(60_000);
  expect(new Set(next.sent.flatMap(({ events }) => events))).toEqual(new Set(upTo(60)));
  expect(next.sent.filter(({ events }) => events.length === 1)).toEqual([]);
  expect([disk.size, next.outbox.dropped]).toEqual([0, 0]);
});

test('recovered items wait for a server that is down', async () => {
  await openLeft(120);
  const next = openPage(0);
  next.capture(1);
  await pass(5_000);
  next.status = 201;
  await pass(60_000);
  expect(new Set(next.sent.flatMap(({ events }) => events)).size).toBe(120);
  expect([disk.size, next.outbox.dropped]).toEqual([0, 0]);
});

test('a batch that another page still fills is not touched until that page ends', async () => {
  const page = openPage(0);
  page.capture(2);
  await pass(500);
  const other = openPage();
  other.capture(1);
  await pass(1_000);
  expect(other.sent).toEqual([]);
  page.capture(1);
  page.leave();
  await pass(100);
  expect(other.sent.map(({ events }) => events)).toEqual([upTo(3)]);
});

test('a page that comes back from the background saves under another owner id, for whose lock others may wait', async () => {
  const page = await openLeft(1);
  page.capture(1);
  await pass(500);
  const other = openPage();
  other.capture(1);
  await pass(1_000);
  expect(other.sent.map(({ events }) => events)).toEqual([[0]]);
});

test('a page without waiting items holds no lock, and its next items get another owner id', async () => {
  const request = vi.spyOn(navigator.locks, 'request');
  const page = openPage();
  page.capture(1);
  await pass(1_000);
  page.capture(1);
  await pass(5_000);
  expect(request).toHaveBeenCalledTimes(1);
  page.capture(1);
  await pass(1_000);
  expect(request).toHaveBeenCalledTimes(2);
});

test('without Web Locks, items younger than a minute may belong to a live page', async () => {
  Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true });
  const page = openPage(0);
  page.capture(1);
  page.leave();
  await pass(59_000);
  const second = openPage();
  second.capture(2);
  await pass(500);
  expect(second.sent).toEqual([]);
  await pass(500);
  const third = openPage();
  third.capture(3);
  await pass(500);
  expect(third.sent.map(({ events }) => events)).toEqual([[0]]);
});

test('items that the server would not store at their own time are dropped', async () => {
  await openLeft(3);
  vi.clearAllTimers();
  vi.setSystemTime(Date.now() + 7 * DAY + 1_000);
  const next = openPage();
  next.capture(1);
  await pass(1_000);
  expect([next.sent.length, next.outbox.dropped]).toEqual([0, 3]);
  expect(onDisk()).toEqual([[0]]);
});

test('the disk stays bounded: the oldest items of ended pages are dropped', async () => {
  for (const n of [0, 1, 2]) {
    const key: ItemKey = ['https://t.example pk', 'images', Date.now() + n, `page ${n}`, 1.5e6];
    disk.set(JSON.stringify(key), { path: '/track/screenshot', sessionId: SESSION, text: `{"events":[${n}]}`, events: 1 });
  }
  const next = openPage();
  next.capture(1);
  await pass(1_000);
  expect(next.sent.map(({ events }) => events)).toEqual([[1], [2]]);
  expect(next.outbox.dropped).toBe(1);
});

test('items of another key are never sent with this one', async () => {
  const page = openPage(0, 'old');
  page.capture(1);
  page.leave();
  await pass(100);
  const next = openPage(201, 'new');
  next.capture(2);
  await pass(1_000);
  next.leave();
  await pass(1_000);
  expect(next.sent.map(({ events }) => events)).toEqual([upTo(2)]);
  expect(onDisk()).toEqual([[0]]);
});

test('where nothing can be saved, everything works from memory', async () => {
  isFull = true;
  const page = openPage();
  page.capture(60);
  await pass(6_000);
  expect(page.sent.flatMap(({ events }) => events)).toEqual(upTo(60));
});

test('what could not be saved is saved when the page comes back from the background', async () => {
  isFull = true;
  const page = openPage(0);
  page.capture(1);
  await pass(1_000);
  page.leave();
  isFull = false;
  page.capture(1);
  await pass(1_000);
  expect(onDisk()).toEqual([[0], [1]]);
});

test('a batch that is too large is removed once its halves are on disk', async () => {
  const page = openPage(0);
  page.capture(4);
  page.queue.close();
  await pass(600);
  expect(onDisk()).toEqual([upTo(4)]);
  page.once = [413];
  const before = writes;
  await pass(900);
  expect(onDisk()).toEqual([upTo(4), [0, 1], [2, 3]]);
  await pass(600);
  expect(onDisk()).toEqual([[0, 1], [2, 3]]);
  expect(writes).toBe(before + 2);
});

test('a refused key leaves items on disk, for the day when it is valid again', async () => {
  const page = openPage(0);
  page.capture(2);
  page.queue.close();
  await pass(600);
  page.status = 403;
  await pass(2_000);
  expect(onDisk()).toEqual([upTo(2)]);
  expect(page.outbox.dropped).toBe(0);
});

test('clearing removes everything from disk, and nothing is sent any more', async () => {
  const dead = openPage(0);
  dead.capture(2);
  dead.leave();
  await pass(100);
  const page = openPage(0);
  page.capture(2);
  await pass(600);
  const attempts = page.sent.length;
  await page.outbox.clear();
  page.status = 201;
  await pass(100_000);
  expect([disk.size, page.sent.length]).toEqual([0, attempts]);
});

test('a hidden page, whose timers may take a minute, saves at once', async () => {
  const page = openPage();
  page.capture(1);
  await pass(500);
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  page.capture(1);
  expect(onDisk()).toEqual([upTo(2)]);
});

test('a page whose items are all stored still recovers those of others before it rests', async () => {
  const gone = openPage(0);
  gone.capture(2);
  await pass(1_000);
  gone.leave();
  const next = openPage();
  next.capture(1);
  next.queue.close();
  for (let n = 0; n < 20; n++) await next.outbox.settled();
  await pass(1_000);
  expect(next.sent.map(({ events }) => events)).toEqual([[0], [0, 1]]);
  expect(onDisk()).toEqual([]);
});
