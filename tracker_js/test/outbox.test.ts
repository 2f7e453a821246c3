import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createOutbox, type Outbox } from '../src/outbox';
import { createQueue } from '../src/queue';
import { createTransport, type Outcome, parseRetryAfter, type Transport } from '../src/transport';

interface Sent {
  path: string;
  batch_id: string;
  sent_at: string;
  session_id: string;
  events: { n: number; text?: string }[];
  last: boolean;
}

const SESSION = 'a0000000-0000-4000-8000-000000000000';
const OK: Outcome = { kind: 'ok' };

/** A transport that answers what the test says, `ok` where it says nothing. */
function fake(answers: (Outcome | Promise<Outcome>)[] = [], room = Infinity) {
  const sent: Sent[] = [];
  const take = (path: string, body: string, last: boolean): Promise<Outcome> => {
    sent.push({ path, last, ...(JSON.parse(body) as Omit<Sent, 'path' | 'last'>) });
    return Promise.resolve(answers.shift() ?? OK);
  };
  const transport: Transport = {
    send: (path, body) => take(path, body, false),
    room: () => room,
    sendLast(path, body) {
      if (body.length > room) return undefined;
      room -= body.length;
      return take(path, body, true);
    },
  };
  return { transport, sent };
}
const fill = (outbox: Outbox, count: number, text?: string): void => {
  const queue = createQueue(outbox);
  for (let n = 0; n < count; n++) queue.push(SESSION, JSON.stringify({ n, text }));
  queue.cut();
};
const numbers = (sent: Sent[]): number[] => sent.flatMap(({ events }) => events.map(({ n }) => n));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const never = (): void => undefined;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a batch goes when it has 50 events, the rest after 5 s', async () => {
  const { transport, sent } = fake();
  const queue = createQueue(createOutbox(transport, 10, never));
  for (let n = 0; n < 60; n++) queue.push(SESSION, JSON.stringify({ n }));
  await vi.advanceTimersByTimeAsync(4_999);
  expect(sent.map(({ events }) => events.length)).toEqual([50]);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent.map(({ events }) => events.length)).toEqual([50, 10]);
  expect(sent[0]).toMatchObject({ path: '/track', session_id: SESSION });
});

test('events of two sessions never share a batch', async () => {
  const { transport, sent } = fake();
  const queue = createQueue(createOutbox(transport, 10, never));
  queue.push('one', '{"n":1}');
  queue.push('two', '{"n":2}');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(sent.map((batch) => [batch.session_id, numbers([batch])])).toEqual([['one', [1]], ['two', [2]]]);
});

test('a large batch is cut by its bytes before it has 50 events', async () => {
  const { transport, sent } = fake();
  fill(createOutbox(transport, 100, never), 40, 'x'.repeat(2_000));
  await vi.advanceTimersByTimeAsync(0);
  expect(numbers(sent)).toEqual(upTo(40));
  for (const batch of sent) expect(JSON.stringify(batch).length).toBeLessThan(31_000);
});

test('a retry names the same batch, with the time of the attempt, after a growing pause', async () => {
  const { transport, sent } = fake([{ kind: 'retry' }, { kind: 'retry' }]);
  const outbox = createOutbox(transport, 10, never, () => 1);
  fill(outbox, 1);
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

test('Retry-After is waited for, in seconds or as a date', async () => {
  const { transport, sent } = fake([{ kind: 'retry', after: 30_000 }]);
  fill(createOutbox(transport, 10, never), 1);
  await vi.advanceTimersByTimeAsync(29_999);
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toHaveLength(2);
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(parseRetryAfter('7')).toBe(7_000);
  expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:09 GMT', now)).toBe(9_000);
  expect([null, '', 'soon'].map((header) => parseRetryAfter(header))).toEqual([undefined, undefined, undefined]);
});

test('a batch that is too large is halved under new names until it fits, and nothing is lost', async () => {
  const { transport, sent } = fake([{ kind: 'split' }, { kind: 'split' }]);
  const outbox = createOutbox(transport, 10, never);
  fill(outbox, 8);
  await vi.advanceTimersByTimeAsync(0);
  expect(sent.map(({ events }) => events.length)).toEqual([8, 4, 2, 2, 4]);
  expect(numbers(sent.slice(2))).toEqual(upTo(8));
  expect(new Set(sent.map((batch) => batch.batch_id)).size).toBe(5);
  expect(outbox.dropped).toBe(0);
});

test('a single event that is too large is given up and counted', async () => {
  const { transport, sent } = fake([{ kind: 'split' }]);
  const outbox = createOutbox(transport, 10, never);
  fill(outbox, 1);
  await vi.advanceTimersByTimeAsync(100_000);
  expect([sent.length, outbox.dropped]).toEqual([1, 1]);
});

test('a refused batch is given up and the next ones go on', async () => {
  const { transport, sent } = fake([{ kind: 'drop' }]);
  const outbox = createOutbox(transport, 10, never);
  fill(outbox, 60);
  await vi.advanceTimersByTimeAsync(100_000);
  expect([sent.length, outbox.dropped]).toEqual([2, 50]);
});

test('a refused key stops everything', async () => {
  const onStop = vi.fn();
  const { transport, sent } = fake([{ kind: 'stop' }]);
  const outbox = createOutbox(transport, 10, onStop);
  fill(outbox, 120);
  await vi.advanceTimersByTimeAsync(100_000);
  fill(outbox, 3);
  expect([sent.length, outbox.dropped, onStop.mock.calls.length]).toEqual([1, 123, 1]);
});

test('while the server is away the memory stays bounded: the oldest are given up', async () => {
  const { transport } = fake(Array.from({ length: 100 }, () => ({ kind: 'retry' as const })));
  const outbox = createOutbox(transport, 3, never);
  fill(outbox, 300);
  await vi.advanceTimersByTimeAsync(0);
  expect(outbox.dropped).toBe(150);
});

test('a page that goes sends all that is not acknowledged once, whatever else is said about its going', async () => {
  const { transport, sent } = fake([new Promise<Outcome>(never)]);
  const outbox = createOutbox(transport, 10, never);
  fill(outbox, 60);
  const queue = createQueue(outbox);
  const rest = (): void => {
    queue.push(SESSION, '{"n":60}');
    queue.cut();
  };
  outbox.leave(rest);
  outbox.leave();
  await vi.advanceTimersByTimeAsync(0);
  const [first, ...last] = sent;
  expect(first?.last).toBe(false);
  expect(last.map((batch) => batch.last)).toEqual([true, true, true]);
  // The one in flight goes again under its name, for its request dies with the page.
  expect(last[0]?.batch_id).toBe(first?.batch_id);
  expect(numbers(last)).toEqual(upTo(61));
});

test('what has no room in the last requests is split to fill it, and what remains is sent if the page lives', async () => {
  const { transport, sent } = fake([new Promise<Outcome>(never)], 45_000);
  const outbox = createOutbox(transport, 100, never);
  fill(outbox, 1);
  fill(outbox, 40, 'x'.repeat(2_000));
  outbox.leave();
  const last = sent.filter((batch) => batch.last);
  expect(JSON.stringify(last).length).toBeLessThan(46_000);
  expect(JSON.stringify(last).length).toBeGreaterThan(35_000);
  await vi.advanceTimersByTimeAsync(0);
  const seen = numbers(sent.filter((batch) => batch.events[0]?.text !== undefined));
  expect([...seen].sort((a, b) => a - b)).toEqual(upTo(seen.length));
});

test('a batch that was tried before is never split: a part of it may be stored already', async () => {
  const { transport, sent } = fake([{ kind: 'retry' }], 10_000);
  const outbox = createOutbox(transport, 100, never);
  fill(outbox, 12, 'x'.repeat(2_000));
  await vi.advanceTimersByTimeAsync(0);
  outbox.leave();
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toHaveLength(2);
  expect(sent[1]?.batch_id).toBe(sent[0]?.batch_id);
});

test('flushing ends when all is stored, or when the next attempt has been set', async () => {
  const { transport } = fake([OK, { kind: 'retry' }]);
  const outbox = createOutbox(transport, 10, never);
  fill(outbox, 60);
  await outbox.settled();
  await vi.advanceTimersByTimeAsync(2_000);
  await outbox.settled();
  expect(outbox.dropped).toBe(0);
});

test.each([
  [200, 'ok'],
  [201, 'ok'],
  [204, 'ok'],
  [400, 'drop'],
  [401, 'stop'],
  [403, 'stop'],
  [404, 'drop'],
  [413, 'split'],
  [422, 'drop'],
  [429, 'retry'],
  [500, 'retry'],
  [503, 'retry'],
])('status %i means %s', async (status, kind) => {
  vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response(null, { status, headers: { 'Retry-After': '2' } }))));
  const outcome = await createTransport('https://t.example', 'pk').send('/track', '{}');
  expect(outcome).toEqual(kind === 'retry' ? { kind, after: 2_000 } : { kind });
});

test('a network failure is tried again', async () => {
  vi.stubGlobal('fetch', vi.fn(() => Promise.reject(new TypeError('Failed to fetch'))));
  expect(await createTransport('https://t.example', '').send('/track', '{}')).toEqual({ kind: 'retry' });
});

test('requests are simple ones: the key in the query, no header, no cookies', async () => {
  const request = vi.fn<typeof fetch>(() => Promise.resolve(new Response()));
  vi.stubGlobal('fetch', request);
  await createTransport('https://t.example/base', 'pk a').send('/track', '{"ü":1}');
  const [url, init] = request.mock.calls[0] ?? [];
  expect(url).toBe('https://t.example/base/api/v1/track?key=pk%20a');
  expect(init).toMatchObject({ method: 'POST', credentials: 'omit', keepalive: false, body: '{"ü":1}' });
  expect(init?.headers).toBeUndefined();
});

test('last requests share 60,000 bytes, counted as UTF-8 and given back when they are answered', async () => {
  let answer: (response: Response) => void = never;
  vi.stubGlobal('fetch', vi.fn(() => new Promise<Response>((resolve) => (answer = resolve))));
  vi.stubGlobal('Request', { prototype: { keepalive: false } });
  const transport = createTransport('https://t.example', '');
  const first = transport.sendLast('/track', 'ü'.repeat(20_000));
  expect(first).toBeDefined();
  expect(transport.room()).toBe(20_000);
  expect(transport.sendLast('/track', 'x'.repeat(20_001))).toBeUndefined();
  answer(new Response());
  await first;
  expect(transport.room()).toBe(60_000);
});

test('without keepalive a beacon goes, and one that is refused is not taken for sent', () => {
  vi.stubGlobal('fetch', vi.fn());
  vi.stubGlobal('Request', { prototype: {} });
  const beacon = vi.fn(() => true);
  vi.stubGlobal('navigator', { sendBeacon: beacon });
  const transport = createTransport('https://t.example', '');
  expect(transport.sendLast('/track', '{}')).toBeDefined();
  beacon.mockReturnValue(false);
  expect(transport.sendLast('/track', '{}')).toBeUndefined();
});
