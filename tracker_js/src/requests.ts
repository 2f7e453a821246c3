import type { DeliveryOptions } from './delivery-types';

/** Browsers allow 64 KiB for all keepalive requests and beacons of a page together. The rest is for headers and for other scripts. */
const KEEPALIVE_BYTES = 60_000;

export interface Requests {
  post: (path: string, body: BodyInit, options?: RequestInit) => Promise<Response>;
  /**
   * For a page that is going: the browser finishes the request without it. Undefined where it has no room now. Rejects
   * like `post`, and where the response cannot be known.
   */
  postLast: (path: string, text: string) => Promise<Response> | undefined;
}

export const utf8 = (text: string): number => new TextEncoder().encode(text).length;

/**
 * Requests that need no CORS preflight: they set no headers, so the key goes into the query and JSON is sent as
 * `text/plain`, the type of a string body and of beacons. They send no cookies.
 */
export function createRequests({ endpoint, project, fetch }: Pick<DeliveryOptions, 'endpoint' | 'project' | 'fetch'>): Requests {
  const query = project && `?key=${encodeURIComponent(project)}`;
  const url = (path: string): string => `${endpoint}/api/v1${path}${query}`;
  let inFlight = 0;
  const post = async (path: string, body: BodyInit, options?: RequestInit): Promise<Response> => {
    let response: Promise<Response>;
    try {
      response = fetch(url(path), { method: 'POST', body, credentials: 'omit', ...options });
    } catch (error) {
      // The page has replaced `fetch` by one that throws, or has none. What a beacon is answered is unknown.
      if (navigator.sendBeacon(url(path), body)) return new Response();
      throw error;
    }
    return response;
  };
  return {
    post,
    postLast(path, text) {
      const bytes = utf8(text);
      if (inFlight + bytes > KEEPALIVE_BYTES) return undefined;
      // The response to a beacon is unknown: if the page lives on, the item is sent again.
      if (!('keepalive' in Request.prototype)) return navigator.sendBeacon(url(path), text) ? Promise.reject(new Error('beacon')) : undefined;
      inFlight += bytes;
      return post(path, text, { keepalive: true }).finally(() => {
        inFlight -= bytes;
      });
    },
  };
}
