import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LoadPart } from '../src/context';
import { createDelivery } from '../src/delivery';
import type { Item, Lane } from '../src/delivery-types';
import { json } from '../src/json';

const item = (n: number, open = false): Item => ({ path: '/track', events: 1, sessionId: 's', open, body: () => String(n) });
const never = (): void => undefined;

/** An outbox that records its calls. */
function outbox() {
  const added: [Lane, string][] = [];
  const left: string[] = [];
  const made = {
    add: (lane: Lane, { body }: Item) => added.push([lane, body('')]),
    leave(finish?: () => void) {
      finish?.();
      left.push('left');
    },
    settled: () => Promise.resolve(),
    clear: vi.fn(() => Promise.resolve()),
    dropped: 5,
  };
  return { added, left, made, part: { createOutbox: () => made } };
}
const create = (load: LoadPart) => createDelivery({ endpoint: 'https://t.example', project: 'pk', fetch, json, debug: never, onStop: never }, load);
let sent: unknown[] = [];

beforeEach(() => {
  sent = [];
  vi.stubGlobal('Request', { prototype: { keepalive: false } });
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    sent.push([init.body, init.keepalive]);
    return Promise.reject(new TypeError());
  });
});
afterEach(() => {
  vi.useRealTimers();
});

test('items that come before the outbox is loaded are passed to it in order, once', async () => {
  const { added, part } = outbox();
  const delivery = create(() => Promise.resolve(part));
  delivery.add('events', item(1));
  const growing = item(2, true);
  delivery.add('events', growing);
  delivery.add('events', growing);
  delivery.add('recordings', item(3));
  await delivery.settled();
  delivery.add('images', item(4));
  expect(added).toEqual([['events', '1'], ['events', '2'], ['recordings', '3'], ['images', '4']]);
});

test('a page that is left before the outbox is loaded sends its items itself', () => {
  const delivery = create(() => new Promise(never));
  delivery.add('events', item(1));
  delivery.leave(() => {
    delivery.add('events', item(2));
  });
  expect(sent).toEqual([['1', true], ['2', true]]);
});

test('a page that is left afterwards lets the outbox send them', async () => {
  const { left, part } = outbox();
  const delivery = create(() => Promise.resolve(part));
  await delivery.settled();
  delivery.leave();
  expect([left, sent]).toEqual([['left'], []]);
});

test('an outbox that failed to load is loaded again when a batch is complete, and nothing is lost', async () => {
  const { added, part } = outbox();
  const load = vi.fn<LoadPart>(() => Promise.reject(new Error('offline')));
  const delivery = create(load);
  await delivery.settled();
  const tries = load.mock.calls.length;
  load.mockResolvedValue(part);
  delivery.add('events', item(1, true));
  expect(load).toHaveBeenCalledTimes(tries);
  delivery.add('events', item(2));
  await delivery.settled();
  expect(added).toEqual([['events', '1'], ['events', '2']]);
});

test('without an outbox memory stays bounded, and dropped events are counted', async () => {
  const delivery = create(() => Promise.reject(new Error('blocked')));
  for (let n = 0; n < 103; n++) delivery.add('events', item(n));
  await delivery.settled();
  expect(delivery.dropped).toBe(3);
});

test('events that the outbox has dropped are counted, too', async () => {
  const delivery = create(() => Promise.resolve(outbox().part));
  await delivery.settled();
  expect(delivery.dropped).toBe(5);
});

test('clearing reaches the outbox, also one that is not loaded yet', async () => {
  const { added, made, part } = outbox();
  const delivery = create(() => Promise.resolve(part));
  delivery.add('events', item(1));
  await delivery.clear();
  expect(added).toEqual([]);
  expect(made.clear).toHaveBeenCalledOnce();
});
