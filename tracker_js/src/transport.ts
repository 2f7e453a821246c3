import type { Requests } from './requests';

/**
 * How one request ended. `split`: too large as it is. `drop`: the server will never take it. `stop`: it will take nothing
 * from us. A number: try again (network, 5xx, 408, 429), not before so many milliseconds.
 */
export type Outcome = 'ok' | 'split' | 'drop' | 'stop' | number;

export interface Transport {
  send: (path: string, text: string) => Promise<Outcome>;
  /** For a page that is going. Undefined where there is no room for it now. */
  sendLast: (path: string, text: string) => Promise<Outcome> | undefined;
}

/** A request that hangs must not hold up those behind it. The server's own limit is 10 s. */
const TIMEOUT_MS = 30_000;
/** However long a server asks us to wait, the page will hardly live longer. */
const MAX_WAIT_MS = 10 * 60_000;
/** Below it, packing saves nothing that a network would notice. */
const MIN_GZIP_CHARS = 1_000;

/** Seconds, or a date, as milliseconds; 0 where it says nothing. Cross-origin it is readable only where CORS exposes it. */
export function parseRetryAfter(header: string | null, now = Date.now()): number {
  const ms = /^\s*\d+\s*$/.test(header ?? '') ? Number(header) * 1_000 : Date.parse(header ?? '') - now;
  return ms > 0 ? Math.min(ms, MAX_WAIT_MS) : 0;
}

function judge({ status, headers }: Response): Outcome {
  if (status < 400) return 'ok';
  if (status === 413) return 'split';
  if (status === 401 || status === 403) return 'stop';
  return status === 429 || status === 408 || status >= 500 ? parseRetryAfter(headers.get('Retry-After')) : 'drop';
}

/** The server knows gzip by its first bytes: a header that says so would need a preflight. */
async function pack(text: string): Promise<BodyInit> {
  if (text.length < MIN_GZIP_CHARS || typeof CompressionStream === 'undefined') return text;
  const packed = new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip')));
  return new Blob([await packed.arrayBuffer()], { type: 'text/plain' });
}

/** `tell` is told once why the server stores nothing of what it takes. */
export function createTransport({ post, postLast }: Requests, tell: (reason: string) => void): Transport {
  let told = false;
  const outcomeOf = async (answer: Promise<Response>): Promise<Outcome> => {
    try {
      const response = await answer;
      const reason = response.headers.get('X-Tracker-Dropped');
      if (reason !== null && !told) {
        told = true;
        tell(reason);
      }
      return judge(response);
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
      const outcome = await outcomeOf(post(path, await pack(text).catch(() => text), { signal: abort.signal }));
      clearTimeout(timer);
      return outcome;
    },
    sendLast(path, text) {
      const answer = postLast(path, text);
      return answer && outcomeOf(answer);
    },
  };
}
