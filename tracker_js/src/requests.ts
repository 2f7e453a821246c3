import type { DeliveryOptions } from './delivery-types';

/** Browsers let all keepalive requests and beacons of a page have 64 KiB in flight together; the rest of it is for headers and for others on the page. */
const KEEPALIVE_BYTES = 60_000;

export interface Requests {
  post: (path: string, body: BodyInit, options?: RequestInit) => Promise<Response>;
  /**
   * For a page that is going: the browser finishes the request without it. Undefined where there is no room for it
   * now. Rejects like `post`, and where the answer cannot be known.
   */
  postLast: (path: string, text: string) => Promise<Response> | undefined;
}

export const utf8 = (text: string): number => new TextEncoder().encode(text).length;

/**
 * Requests that need no CORS preflight: no header of ours, so the key goes in the query and JSON as `text/plain` (what
 * a string body is, and what beacons send). No cookies either: the server wants none.
 */
export function createRequests({ endpoint, project, fetch }: Pick<DeliveryOptions, 'endpoint' | 'project' | 'fetch'>): Requests {
  const query = project && `?key=${encodeURIComponent(project)}`;
  const url = (path: string): string => `${endpoint}/api/v1${path}${query}`;
  let inFlight = 0;
  // One that somebody put there before us may throw.
  const post = async (path: string, body: BodyInit, options?: RequestInit): Promise<Response> =>
    fetch(url(path), { method: 'POST', body, credentials: 'omit', ...options });
  return {
    post,
    postLast(path, text) {
      const bytes = utf8(text);
      if (inFlight + bytes > KEEPALIVE_BYTES) return undefined;
      // The answer to a beacon is never seen: should the page live on, the text is sent again.
      if (!('keepalive' in Request.prototype)) return navigator.sendBeacon(url(path), text) ? Promise.reject(new Error('beacon')) : undefined;
      inFlight += bytes;
      return post(path, text, { keepalive: true }).finally(() => {
        inFlight -= bytes;
      });
    },
  };
}
