import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openBatch } from '../src/batch';
import type { Delivery, DeliveryOptions } from '../src/delivery-types';
import { createEventBatches } from '../src/event-batches';
import { json } from '../src/json';
import { createOutbox } from '../src/outbox.lazy';
import type { Requests } from '../src/requests';

interface Sent {
  path: string;
  batch_id: string;
  sent_at: string;
  session_id: string;
  events: { n: number; text?: string }[];
  last: boolean;
}

const SESSION = 'a0000000-0000-4000-8000-000000000000';
const never = (): void => undefined;
const silence = new Promise<Response>(never);
const answer = (status: number, headers: Record<string, string> = {}): Response => new Response(null, { status, headers });

/** A server that answers as the test sets it, by default 201. Last requests have so much room. */
function server(answers: (Response | Promise<Response>)[] = [], room = 60_000) {
  const sent: Sent[] = [];
  const take = (path: string, text: string, last: boolean): Promise<Response> => {
    sent.push({ path, last, ...(JSON.parse(text) as Omit<Sent, 'path' | 'last'>) });
    return Promise.resolve(answers.shift() ?? answer(201));
  };
  const requests: Requests = {
    post: (path, body) => take(path, body as string, false),
    postLast(path, text) {
      if (text.length > room) return undefined;
      room -= text.length;
      return take(path, text, true);
    },
  };
  return { requests, sent };
}
const open = (requests: Requests, options: Partial<DeliveryOptions> = {}): Delivery =>
  createOutbox({ endpoint: 'https://t.example', project: 'pk', fetch, json, debug: never, onStop: never, ...options }, requests, () => 1);
const fill = (outbox: Delivery, count: number, text?: string): void => {
  const queue = createEventBatches(outbox);
  for (let n = 0; n < count; n++) queue.push(SESSION, JSON.stringify({ n, text }));
  queue.close();
};
const numbers = (sent: Sent[]): number[] => sent.flatMap(({ events }) => events.map(({ n }) => n));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

beforeEach(() => {
  // Without compression, which runs in tasks that fake timers do not control.
  vi.stubGlobal('CompressionStream', undefined);
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a batch is sent at 50 events, the rest after 5 s', async () => {
  const { requests, sent } = server();
  const queue = createEventBatches(open(requests));
  for (let n = 0; n < 60; n++) queue.push(SESSION, JSON.stringify({ n }));
  await vi.advanceTimersByTimeAsync(4_999);
  expect(sent.map(({ events }) => events.length)).toEqual([50]);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent.map(({ events }) => events.length)).toEqual([50, 10]);
  expect(sent[0]).toMatchObject({ path: '/track', session_id: SESSION });
});

test('events of two sessions never share a batch', async () => {
  const { requests, sent } = server();
  const queue = createEventBatches(open(requests));
  queue.push('one', '{"n":1}');
  queue.push('two', '{"n":2}');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(sent.map((batch) => [batch.session_id, numbers([batch])])).toEqual([['one', [1]], ['two', [2]]]);
});

test('a batch is closed by its bytes before it has 50 events, so that three fit into the last requests of a page', async () => {
  const { requests, sent } = server();
  fill(open(requests), 40, 'ü'.repeat(900));
  await vi.advanceTimersByTimeAsync(0);
  expect(numbers(sent)).toEqual(upTo(40));
  for (const { path, last, ...batch } of sent) {
    expect([path, last]).toEqual(['/track', false]);
    expect(new TextEncoder().encode(JSON.stringify(batch)).length).toBeLessThan(20_000);
  }
});

test('a retry sends the same batch id, with the time of the attempt, after a growing pause', async () => {
  const { requests, sent } = server([answer(500), answer(502)]);
  fill(open(requests), 1);
  await vi.advanceTimersByTimeAsync(999);
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(sent).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toHaveLength(3);
  expect(new Set(sent.map((batch) => batch.batch_id)).size).toBe(1);
  expect(new Set(sent.map((batch) => batch.sent_at)).size).toBe(3);
});

test('text of the page is never taken for the time of the attempt', async () => {
  const { requests, sent } = server();
  fill(open(requests), 1, '<sent_at>');
  await vi.advanceTimersByTimeAsync(0);
  expect(sent[0]?.events).toEqual([{ n: 0, text: '<sent_at>' }]);
  expect(Date.parse(sent[0]?.sent_at ?? '')).toBe(Date.now());
});

test('Retry-After is respected', async () => {
  const { requests, sent } = server([answer(503, { 'Retry-After': '30' })]);
  fill(open(requests), 1);
  await vi.advanceTimersByTimeAsync(29_999);
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toHaveLength(2);
});

test('a batch that is too large is split until it fits, under ids that do not depend on the moment, and nothing is lost', async () => {
  const { requests, sent } = server([answer(413), answer(413)]);
  const outbox = open(requests);
  fill(outbox, 8);
  await vi.advanceTimersByTimeAsync(0);
  expect(sent.map(({ events }) => events.length)).toEqual([8, 4, 4, 2, 2]);
  expect(numbers(sent.slice(2)).sort()).toEqual(upTo(8));
  const name = sent[0]?.batch_id ?? '';
  expect(sent.map((batch) => batch.batch_id)).toEqual([name, `${name}.0`, `${name}.1`, `${name}.0.0`, `${name}.0.1`]);
  expect(outbox.dropped).toBe(0);
});

test('a single event that is too large is dropped and counted', async () => {
  const { requests, sent } = server([answer(413)]);
  const outbox = open(requests);
  fill(outbox, 1);
  await vi.advanceTimersByTimeAsync(100_000);
  expect([sent.length, outbox.dropped]).toEqual([1, 1]);
});

test('a refused batch is dropped, and the next ones are sent', async () => {
  const { requests, sent } = server([answer(422)]);
  const outbox = open(requests);
  fill(outbox, 60);
  await vi.advanceTimersByTimeAsync(100_000);
  expect([sent.length, outbox.dropped]).toEqual([2, 50]);
});

test('a batch whose id the server has with other content is neither sent again nor counted as lost', async () => {
  const { requests, sent } = server([answer(409)]);
  const outbox = open(requests);
  fill(outbox, 60);
  await vi.advanceTimersByTimeAsync(100_000);
  expect([sent.length, outbox.dropped]).toEqual([2, 0]);
});

test('a refused key stops everything', async () => {
  const onStop = vi.fn();
  const { requests, sent } = server([answer(401)]);
  const outbox = open(requests, { onStop });
  fill(outbox, 120);
  await vi.advanceTimersByTimeAsync(100_000);
  fill(outbox, 3);
  await vi.advanceTimersByTimeAsync(100_000);
  expect([sent.length, outbox.dropped, onStop.mock.calls.length]).toEqual([1, 123, 1]);
});

test('while the server is down memory stays bounded: the oldest items are dropped', async () => {
  const { requests, sent } = server([answer(503, { 'Retry-After': '60' })]);
  const outbox = open(requests);
  const item = (n: number) => ({ path: '/track/screenshot', events: 1, sessionId: SESSION, body: () => JSON.stringify({ events: [{ n }], image: 'x'.repeat(1e6) }) });
  for (let n = 0; n < 6; n++) outbox.add('images', item(n));
  await vi.advanceTimersByTimeAsync(100_000);
  // The first one was in flight when the others came.
  expect(numbers(sent)).toEqual([0, 4, 5].flatMap((n) => (n === 0 ? [0, 0] : [n])));
  expect(outbox.dropped).toBe(3);
});

test('a lane never holds up another', async () => {
  const { requests, sent } = server([silence]);
  const outbox = open(requests);
  outbox.add('images', { path: '/track/screenshot', events: 0, sessionId: SESSION, body: () => '{"events":[]}' });
  fill(outbox, 1);
  await vi.advanceTimersByTimeAsync(0);
  expect(sent.map(({ path }) => path)).toEqual(['/track/screenshot', '/track']);
});

test('a page that goes sends everything unacknowledged once, however many events report its end', async () => {
  const { requests, sent } = server([silence]);
  const outbox = open(requests);
  fill(outbox, 60);
  await vi.advanceTimersByTimeAsync(0);
  const queue = createEventBatches(outbox);
  outbox.leave(() => {
    queue.push(SESSION, '{"n":60}');
    queue.close();
  });
  outbox.leave();
  await vi.advanceTimersByTimeAsync(0);
  const [first, ...last] = sent;
  expect(first?.last).toBe(false);
  expect(last.map((batch) => batch.last)).toEqual([true, true, true]);
  // The batch in flight is sent again under its id, since its request dies with the page.
  expect(last[0]?.batch_id).toBe(first?.batch_id);
  expect(numbers(last)).toEqual(upTo(61));
});

test('what has no room in the last requests is sent if the page lives on', async () => {
  let thaw: (response: Response) => void = never;
  const { requests, sent } = server([new Promise((resolve) => (thaw = resolve))], 45_000);
  const outbox = open(requests);
  fill(outbox, 36, 'x'.repeat(2_000));
  await vi.advanceTimersByTimeAsync(0);
  outbox.leave();
  expect(numbers(sent.filter(({ last }) => last))).toEqual(upTo(18));
  await vi.advanceTimersByTimeAsync(0);
  thaw(answer(201));
  await vi.advanceTimersByTimeAsync(0);
  expect(numbers(sent.slice(3))).toEqual(upTo(36).slice(18));
});

test('settled resolves when everything is stored, or the next attempt is scheduled', async () => {
  const { requests } = server([answer(201), answer(500)]);
  const outbox = open(requests);
  fill(outbox, 60);
  await outbox.settled();
  await vi.advanceTimersByTimeAsync(2_000);
  await outbox.settled();
  expect(outbox.dropped).toBe(0);
});

test('the reason why the server stores nothing is logged once', async () => {
  const debug = vi.fn();
  const { requests } = server([answer(201, { 'X-Tracker-Dropped': 'gpc' }), answer(201, { 'X-Tracker-Dropped': 'gpc' })]);
  fill(open(requests, { debug }), 60);
  await vi.advanceTimersByTimeAsync(0);
  expect(debug.mock.calls).toEqual([['not recorded: gpc']]);
});

test('cleared items are not retried', async () => {
  const { requests, sent } = server([answer(500)]);
  const outbox = open(requests);
  fill(outbox, 60);
  await vi.advanceTimersByTimeAsync(0);
  await outbox.clear();
  await vi.advanceTimersByTimeAsync(100_000);
  await outbox.settled();
  expect(sent).toHaveLength(1);
});

test('a batch that still grows says that it is partial, and a closed one does not', () => {
  const batch = openBatch('/track', SESSION);
  batch.append('{"n":0}');
  expect(JSON.parse(batch.body('now'))).toMatchObject({ partial: true, events: [{ n: 0 }] });
  batch.open = false;
  expect(JSON.parse(batch.body('now'))).not.toHaveProperty('partial');
});
