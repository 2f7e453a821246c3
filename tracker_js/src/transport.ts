import type { Requests } from './requests';

/**
 * How a request ended. `split`: the body is too large. `drop`: the server will never take it. `stop`: the server takes
 * nothing with this key. A number: retry (network, 5xx, 408, 429), not before so many milliseconds.
 */
export type Outcome = 'ok' | 'split' | 'drop' | 'stop' | number;

export interface Transport {
  send: (path: string, text: string) => Promise<Outcome>;
  /** For a page that is going. Undefined where there is no room for the request now. */
  sendLast: (path: string, text: string) => Promise<Outcome> | undefined;
}

/** A request that hangs must not hold up the following ones. The server's own limit is 10 s. */
const TIMEOUT_MS = 30_000;
/** A page rarely lives longer than this. */
const MAX_WAIT_MS = 10 * 60_000;
/** Smaller bodies gain nothing by compression. */
const MIN_GZIP_CHARS = 1_000;

/**
 * Returns milliseconds for a `Retry-After` of seconds or a date; 0 without one. Cross-origin it is readable only where
 * CORS exposes it.
 */
export function parseRetryAfter(header: string | null, now = Date.now()): number {
  const ms = /^\s*\d+\s*$/.test(header ?? '') ? Number(header) * 1_000 : Date.parse(header ?? '') - now;
  return ms > 0 ? Math.min(ms, MAX_WAIT_MS) : 0;
}

function classify({ status, headers }: Response): Outcome {
  // 409: the server has this batch as another attempt sent it. Ids are the tag's own, so no other content has one.
  if (status < 400 || status === 409) return 'ok';
  if (status === 413) return 'split';
  if (status === 401 || status === 403) return 'stop';
  return status === 429 || status === 408 || status >= 500 ? parseRetryAfter(headers.get('Retry-After')) : 'drop';
}

/** The server recognizes gzip by its first bytes: a header would need a preflight. */
async function compress(text: string): Promise<BodyInit> {
  if (text.length < MIN_GZIP_CHARS || typeof CompressionStream === 'undefined') return text;
  const compressed = new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip')));
  return new Blob([await compressed.arrayBuffer()], { type: 'text/plain' });
}

/** `onDropReason` is called once with the reason why the server stores nothing. */
export function createTransport({ post, postLast }: Requests, onDropReason: (reason: string) => void): Transport {
  let isReported = false;
  const outcomeOf = async (request: Promise<Response>): Promise<Outcome> => {
    try {
      const response = await request;
      const reason = response.headers.get('X-Tracker-Dropped');
      if (reason !== null && !isReported) {
        isReported = true;
        onDropReason(reason);
      }
      return classify(response);
    } catch {
      return 0;
    }
  };
  return {
    async send(path, text) {
      const abort = new AbortController();
      const timer = setTimeout(() => {
        abort.abort();
      }, TIMEOUT_MS);
      const outcome = await outcomeOf(post(path, await compress(text).catch(() => text), { signal: abort.signal }));
      clearTimeout(timer);
      return outcome;
    },
    sendLast(path, text) {
      const request = postLast(path, text);
      return request && outcomeOf(request);
    },
  };
}
