/**
 * How one request ended. `retry`: try again later (network, 5xx, 408, 429). `split`: too large as it is. `drop`: the
 * server will never take it. `stop`: it will take nothing from us.
 */
export type Outcome = { kind: 'ok' } | { kind: 'retry'; after?: number | undefined } | { kind: 'split' } | { kind: 'drop' } | { kind: 'stop' };

export interface Transport {
  send: (path: string, body: string) => Promise<Outcome>;
  /** For a page that is going: the browser finishes the request without it. Undefined where there is no room for it now. */
  sendLast: (path: string, body: string) => Promise<Outcome> | undefined;
  /** Bytes that `sendLast` would still take. */
  room: () => number;
}

/** Browsers let all keepalive requests and beacons of a page have 64 KiB in flight together; the rest of it is for headers and for others on the page. */
const KEEPALIVE_BYTES = 60_000;
/** A request that hangs must not hold up those behind it. The server's own limit is 10 s. */
const TIMEOUT_MS = 30_000;
/** However long a server asks us to wait, the page will hardly live longer. */
const MAX_WAIT_MS = 10 * 60_000;

const utf8 = (text: string): number => new TextEncoder().encode(text).length;

/** Seconds, or a date. Cross-origin it is readable only where CORS exposes it. */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_WAIT_MS);
}

function judge(response: Response): Outcome {
  const { status } = response;
  if (status < 400) return { kind: 'ok' };
  if (status === 413) return { kind: 'split' };
  if (status === 401 || status === 403) return { kind: 'stop' };
  if (status === 429 || status === 408 || status >= 500) {
    return { kind: 'retry', after: parseRetryAfter(response.headers.get('Retry-After')) };
  }
  return { kind: 'drop' };
}

/**
 * Requests that need no CORS preflight: no header of ours, so the key goes in the query and JSON as `text/plain` (what
 * a string body is, and what beacons send). No cookies either: the server wants none.
 */
export function createTransport(endpoint: string, project: string): Transport {
  // Kept from the start: a page may replace `fetch` later, and its replacement would see our requests as its own.
  const request = window.fetch.bind(window);
  const hasKeepalive = 'keepalive' in Request.prototype;
  const query = project === '' ? '' : `?key=${encodeURIComponent(project)}`;
  const url = (path: string): string => `${endpoint}/api/v1${path}${query}`;
  let inFlight = 0;

  const post = async (path: string, body: string, keepalive: boolean): Promise<Outcome> => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      abort.abort();
    }, TIMEOUT_MS);
    try {
      return judge(await request(url(path), { method: 'POST', body, keepalive, credentials: 'omit', signal: abort.signal }));
    } catch {
      return { kind: 'retry' };
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    send: (path, body) => post(path, body, false),
    room: () => KEEPALIVE_BYTES - inFlight,
    sendLast(path, body) {
      const bytes = utf8(body);
      if (bytes > KEEPALIVE_BYTES - inFlight) return undefined;
      if (!hasKeepalive) {
        // A beacon's answer is never seen: taken is all that can be known.
        return navigator.sendBeacon(url(path), new Blob([body], { type: 'text/plain' })) ? Promise.resolve({ kind: 'ok' }) : undefined;
      }
      inFlight += bytes;
      return post(path, body, true).finally(() => {
        inFlight -= bytes;
      });
    },
  };
}
