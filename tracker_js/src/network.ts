import type { PartContext } from './context';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { createRepeatLimit } from './repeat-limit';

const MAX_URL = 1_000;
/** Events with which an XMLHttpRequest ends. */
const END_EVENTS = ['load', 'error', 'timeout', 'abort'];

interface Call {
  method: string;
  /** Without query and fragment. */
  url: string;
  page: string;
  at: number;
}

/** Called for each request of the page, before its response. `keepalive` is typical of analytics. */
export type OnRequest = (method: string, keepalive: boolean) => void;

/**
 * Emits the page's failed requests: status 400 and above, or no response. An event has method, host, path, status and
 * duration, never a query, header or body. The page's own call runs first and gets its unchanged result.
 */
export function initNetwork({ emit, isOwn }: Pick<PartContext, 'emit' | 'isOwn'>, onRequest: OnRequest): Teardown {
  const isBelowLimit = createRepeatLimit();
  let active = true;
  /** Requests that end because the page is left have not failed. */
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
      const result = Reflect.apply(original, this, args);
      // The result of a polyfill or wrapper may be an object with methods of its own.
      if (!active || Object.getPrototypeOf(Object(result)) !== Promise.prototype) return result;
      let call: Call | undefined;
      guard(() => {
        const [input, init] = args;
        const request = typeof input === 'object' && 'url' in input ? input : undefined;
        call = begin(init?.method ?? request?.method ?? 'GET', request?.url ?? (input as string | URL).toString(), init?.keepalive ?? request?.keepalive ?? false);
      })();
      if (!call) return result;
      const watchedCall = call;
      // The rejection is passed on, so that an unhandled one is reported as before.
      return result.then(
        (response) => {
          if (response.status >= 400) end('fetch', watchedCall, 'status', response.status);
          return response;
        },
        (error: unknown) => {
          const name = (error as Error | null)?.name;
          if (name !== 'AbortError') end('fetch', watchedCall, name === 'TimeoutError' ? 'timeout' : 'network', 0);
          throw error;
        },
      );
    };
    window.fetch = patched;
    return () => {
      // Another script may have patched it afterwards: then this patch stays in the chain and does nothing.
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
        const onEnd = guard(({ type }: Event) => {
          // The object may be used again for another request.
          for (const one of END_EVENTS) this.removeEventListener(one, onEnd);
          if (type === 'error' || type === 'timeout') end('xhr', call, type === 'error' ? 'network' : type, 0);
          else if (type === 'load' && this.status >= 400) end('xhr', call, 'status', this.status);
        });
        for (const one of END_EVENTS) this.addEventListener(one, onEnd, { signal: ending.signal });
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
