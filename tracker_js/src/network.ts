import type { PartContext } from './context';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { createRepeatLimit } from './repeat-limit';

const MAX_URL = 1_000;
/** How a request of XMLHttpRequest ends. */
const ENDS = ['load', 'error', 'timeout', 'abort'];

interface Call {
  method: string;
  /** Without query and fragment. */
  url: string;
  page: string;
  at: number;
}

/** Told of each request of the page before its answer; `keepalive` is how analytics send. */
export type OnRequest = (method: string, keepalive: boolean) => void;

/**
 * Requests of the page that failed: answers of 400 and more, and none at all. Method, host and path, status and time;
 * never a query, a header or a body. The page's own call comes first, and gets the answer that it would have got.
 */
export function initNetwork({ emit, isOwn }: Pick<PartContext, 'emit' | 'isOwn'>, onRequest: OnRequest): Teardown {
  const isBelowLimit = createRepeatLimit();
  let active = true;
  /** A page that goes takes its requests with it: they did not fail. */
  let isLeaving = false;

  const begin = (method: string, address: string, keepalive: boolean): Call | undefined => {
    const { href, origin, pathname, protocol } = new URL(address, document.baseURI);
    if (!protocol.startsWith('http') || isOwn(href)) return undefined;
    onRequest(method.toUpperCase(), keepalive);
    return { method: method.toUpperCase(), url: (origin + pathname).slice(0, MAX_URL), page: location.href, at: performance.now() };
  };
  const end = guard((api: string, call: Call, failure: string, status: number) => {
    if (!active || isLeaving || !isBelowLimit(`${call.method} ${call.url} ${failure} ${status}`)) return;
    const { method, url, at, page } = call;
    emit('request_failed', { page_url: page, event_data: { api, method, url, failure, status: status || undefined, duration_ms: Math.round(performance.now() - at) } });
  });

  const patchFetch = (): Teardown => {
    const original = Reflect.get(window, 'fetch');
    const patched = function (this: unknown, ...args: Parameters<typeof fetch>): Promise<Response> {
      const answer = Reflect.apply(original, this, args);
      // Of a polyfill or another wrapper it may be something of its own, which must not lose what it can do.
      if (!active || Object.getPrototypeOf(Object(answer)) !== Promise.prototype) return answer;
      let call: Call | undefined;
      guard(() => {
        const [input, init] = args;
        const request = typeof input === 'object' && 'url' in input ? input : undefined;
        call = begin(init?.method ?? request?.method ?? 'GET', request?.url ?? (input as string | URL).toString(), init?.keepalive ?? request?.keepalive ?? false);
      })();
      if (!call) return answer;
      const seen = call;
      // What was rejected is rejected again: whether it is handled is the page's affair, and is told as it would have been.
      return answer.then(
        (response) => {
          if (response.status >= 400) end('fetch', seen, 'status', response.status);
          return response;
        },
        (error: unknown) => {
          const name = (error as Error | null)?.name;
          if (name !== 'AbortError') end('fetch', seen, name === 'TimeoutError' ? 'timeout' : 'network', 0);
          throw error;
        },
      );
    };
    window.fetch = patched;
    return () => {
      // Somebody may have patched it after us; then ours stays in the chain and does nothing.
      if (window.fetch === patched) window.fetch = original;
    };
  };

  const patchXhr = (): Teardown => {
    const { prototype } = XMLHttpRequest;
    const open = Reflect.get(prototype, 'open');
    const send = Reflect.get(prototype, 'send');
    const opened = new WeakMap<XMLHttpRequest, [string, string]>();
    const ending = new AbortController();

    const patchedOpen = function (this: XMLHttpRequest, ...args: Parameters<typeof open>): void {
      Reflect.apply(open, this, args);
      guard(() => {
        opened.set(this, [args[0], args[1].toString()]);
      })();
    } as typeof open;
    const patchedSend: typeof send = function (this: XMLHttpRequest, ...args) {
      guard(() => {
        const [method, address] = opened.get(this) ?? [];
        const call = active && method !== undefined && address !== undefined ? begin(method, address, false) : undefined;
        if (!call) return;
        opened.delete(this);
        const look = guard(({ type }: Event) => {
          // It may be used again, for another request.
          for (const one of ENDS) this.removeEventListener(one, look);
          if (type === 'error' || type === 'timeout') end('xhr', call, type === 'error' ? 'network' : type, 0);
          else if (type === 'load' && this.status >= 400) end('xhr', call, 'status', this.status);
        });
        for (const one of ENDS) this.addEventListener(one, look, { signal: ending.signal });
      })();
      Reflect.apply(send, this, args);
    };
    prototype.open = patchedOpen;
    prototype.send = patchedSend;
    return () => {
      ending.abort();
      if (Reflect.get(prototype, 'open') === patchedOpen) prototype.open = open;
      if (Reflect.get(prototype, 'send') === patchedSend) prototype.send = send;
    };
  };

  return combineTeardowns([
    () => {
      active = false;
    },
    typeof window.fetch === 'function' ? patchFetch() : () => undefined,
    patchXhr(),
    listen(window, 'pagehide', () => {
      isLeaving = true;
    }),
    listen(window, 'pageshow', () => {
      isLeaving = false;
    }),
  ]);
}
