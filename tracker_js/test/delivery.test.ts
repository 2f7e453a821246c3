import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LoadPart } from '../src/context';
import { createDelivery } from '../src/delivery';
import type { Item, Lane } from '../src/delivery-types';
import { json } from '../src/json';

const item = (n: number, open = false): Item => ({ path: '/track', events: 1, sessionId: 's', open, body: () => String(n) });
const never = (): void => undefined;

/** An outbox that says what it was given. */
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

test('what comes before the outbox is handed to it in order, once', async () => {
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

test('a page that is left before the outbox is there sends what it has', () => {
  const delivery = create(() => new Promise(never));
  delivery.add('events', item(1));
  delivery.leave(() => {
    delivery.add('events', item(2));
  });
  expect(sent).toEqual([['1', true], ['2', true]]);
});

test('a page that is left after that leaves it to the outbox', async () => {
  const { left, part } = outbox();
  const delivery = create(() => Promise.resolve(part));
  await delivery.settled();
  delivery.leave();
  expect([left, sent]).toEqual([['left'], []]);
});

test('an outbox that could not be loaded is asked for again when a batch is complete, and nothing is lost', async () => {
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

test('without an outbox the memory stays bounded, and what is given up is counted', async () => {
  const delivery = create(() => Promise.reject(new Error('blocked')));
  for (let n = 0; n < 103; n++) delivery.add('events', item(n));
  await delivery.settled();
  expect(delivery.dropped).toBe(3);
});

test('what the outbox gave up is counted too', async () => {
  const delivery = create(() => Promise.resolve(outbox().part));
  await delivery.settled();
  expect(delivery.dropped).toBe(5);
});

test('forgetting reaches the outbox, also one that is not there yet', async () => {
  const { added, made, part } = outbox();
  const delivery = create(() => Promise.resolve(part));
  delivery.add('events', item(1));
  await delivery.clear();
  expect(added).toEqual([]);
  expect(made.clear).toHaveBeenCalledOnce();
});
