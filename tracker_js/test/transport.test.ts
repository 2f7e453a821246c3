import { afterEach, expect, test, vi } from 'vitest';
import { gunzipSync } from 'node:zlib';
import { createRequests } from '../src/requests';
import { createTransport, parseRetryAfter } from '../src/transport';

const never = (): void => undefined;
const open = (endpoint = 'https://t.example', project = 'pk') => createTransport(createRequests({ endpoint, project, fetch }), never);

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  [200, 'ok'],
  [201, 'ok'],
  [204, 'ok'],
  [400, 'drop'],
  [401, 'stop'],
  [403, 'stop'],
  [404, 'drop'],
  [408, 2_000],
  [409, 'ok'],
  [413, 'split'],
  [422, 'drop'],
  [429, 2_000],
  [500, 2_000],
  [503, 2_000],
])('status %i means %s', async (status, outcome) => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(null, { status, headers: { 'Retry-After': '2' } })));
  expect(await open().send('/track', '{}')).toBe(outcome);
});

test('Retry-After is seconds or a date, and never more than ten minutes', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(parseRetryAfter('7')).toBe(7_000);
  expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:09 GMT', now)).toBe(9_000);
  expect(parseRetryAfter('86400')).toBe(600_000);
  expect([null, '', 'soon', 'Thu, 01 Jan 1970 00:00:00 GMT'].map((header) => parseRetryAfter(header, now))).toEqual([0, 0, 0, 0]);
});

test('a network failure is retried', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
  expect(await open().send('/track', '{}')).toBe(0);
});

test('a request that hangs is aborted', async () => {
  vi.useFakeTimers();
  vi.stubGlobal('fetch', (_: string, { signal }: { signal: AbortSignal }) => new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new DOMException('aborted', 'AbortError'));
    });
  }));
  const outcome = open().send('/track', '{}');
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await outcome).toBe(0);
});

test('requests are simple ones: the key in the query, no header, no cookies', async () => {
  const request = vi.fn<typeof fetch>(() => Promise.resolve(new Response()));
  vi.stubGlobal('fetch', request);
  await open('https://t.example/base', 'pk a').send('/track', '{"ü":1}');
  const [url, init] = request.mock.calls[0] ?? [];
  expect(url).toBe('https://t.example/base/api/v1/track?key=pk%20a');
  expect(init).toMatchObject({ method: 'POST', credentials: 'omit', body: '{"ü":1}' });
  expect(init).not.toHaveProperty('headers');
});

test('a long body is compressed, still as plain text', async () => {
  const bodies: Blob[] = [];
  vi.stubGlobal('fetch', (_: string, { body }: { body: Blob }) => {
    bodies.push(body);
    return Promise.resolve(new Response());
  });
  const text = JSON.stringify({ events: Array.from({ length: 100 }, (_, n) => ({ n, name: 'ü' })) });
  vi.stubGlobal('Blob', (await import('node:buffer')).Blob);
  await open().send('/track', text);
  const [body] = bodies;
  expect(body?.type).toBe('text/plain');
  expect(gunzipSync(Buffer.from((await body?.arrayBuffer()) ?? new ArrayBuffer())).toString()).toBe(text);
});

test('a wrapped fetch that throws is retried, like a network failure', async () => {
  vi.stubGlobal('fetch', () => {
    throw new TypeError('url.includes is not a function');
  });
  expect(await open().send('/track', '{}')).toBe(0);
});

test('where compression fails, the text is sent as it is', async () => {
  const request = vi.fn<typeof fetch>(() => Promise.resolve(new Response()));
  vi.stubGlobal('fetch', request);
  vi.stubGlobal('CompressionStream', () => {
    throw new TypeError('not here');
  });
  const text = JSON.stringify('x'.repeat(2_000));
  await open().send('/track', text);
  expect(request.mock.calls[0]?.[1]?.body).toBe(text);
});

test('last requests share 60,000 bytes, counted as UTF-8 and returned when they are answered', async () => {
  let answer: (response: Response) => void = never;
  vi.stubGlobal('fetch', () => new Promise<Response>((resolve) => (answer = resolve)));
  vi.stubGlobal('Request', { prototype: { keepalive: false } });
  const transport = open();
  const first = transport.sendLast('/track', 'ü'.repeat(20_000));
  expect(first).toBeDefined();
  expect(transport.sendLast('/track', 'x'.repeat(20_001))).toBeUndefined();
  answer(new Response());
  await first;
  expect(transport.sendLast('/track', 'x'.repeat(60_000))).toBeDefined();
});

test('without keepalive a beacon is sent; its response is unknown, so it is sent again if the page lives on', async () => {
  vi.stubGlobal('fetch', never);
  vi.stubGlobal('Request', { prototype: {} });
  const beacon = vi.fn(() => true);
  vi.stubGlobal('navigator', { sendBeacon: beacon });
  expect(await open().sendLast('/track', '{}')).toBe(0);
  expect(beacon.mock.calls).toEqual([['https://t.example/api/v1/track?key=pk', '{}']]);
  beacon.mockReturnValue(false);
  expect(open().sendLast('/track', '{}')).toBeUndefined();
});
