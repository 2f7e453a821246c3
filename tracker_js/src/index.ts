import type { Options, Tracker } from './api.js';
import type { PartName } from './context';
import { guard } from './guard';
import { createTracker } from './tracker';

declare global {
  interface Window {
    tracker?: Tracker;
  }
  /** The hash in the file name of each part. Set by the build. */
  const PART_HASHES: Record<PartName, string>;
}

/** What a page puts at `window.tracker` to call it before the script is loaded: `q` collects calls as `[method, ...arguments]`. */
interface Stub {
  q?: { push: (call: [keyof Tracker, ...unknown[]]) => unknown } & Iterable<[keyof Tracker, ...unknown[]]>;
}

/** `currentScript` is null in a module or when a loader evaluates the text: then the tag is searched for. */
function findTag(): HTMLScriptElement | null {
  const current = document.currentScript;
  if (current?.localName === 'script') return current as HTMLScriptElement;
  return document.querySelector<HTMLScriptElement>('script[src][data-project]');
}

guard(() => {
  const tag = findTag();
  // `resolveOptions` interprets the values.
  const { name = 'tracker', ...options } = Object.assign({}, tag?.dataset) as Options & { name?: string };
  const page = window as unknown as Record<string, (Stub & Partial<Tracker>) | undefined>;
  const stub = page[name];
  // The tag is on the page twice: the first one tracks. (An element with the id `tracker` shows up here, too.)
  if (typeof stub?.init === 'function' && !Array.isArray(stub.q)) return;
  // An inline script has an empty `src`.
  const source = new URL(tag?.src ?? '', location.href).href;
  const tracker = createTracker(
    // The server is where the script came from, with the path that a proxy may add.
    { ...options, endpoint: options.endpoint ?? new URL('.', source).href },
    (part) => import(new URL(`tracker/${part}-${PART_HASHES[part]}.js`, source).href),
  );
  const call = ([method, ...args]: [keyof Tracker, ...unknown[]]): void => {
    guard(tracker[method] as (...args: unknown[]) => void)(...args);
  };
  const calls = stub?.q ? [...stub.q] : [];
  if (stub?.q) {
    // Scripts that kept the stub get the tracker's methods.
    Object.defineProperties(stub, Object.getOwnPropertyDescriptors(tracker));
    stub.q = { push: call, [Symbol.iterator]: [][Symbol.iterator] };
  } else page[name] = tracker;
  // The page's own call of `init` replaces the automatic one.
  if (tag?.dataset.auto !== 'false' && !calls.some(([method]) => method === 'init')) tracker.init();
  calls.forEach(call);
})();
