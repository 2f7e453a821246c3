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

/** What a page puts at `window.tracker` to call it before it is here: `q` gathers calls as `[method, ...arguments]`. */
interface Stub {
  q?: { push: (call: [keyof Tracker, ...unknown[]]) => unknown } & Iterable<[keyof Tracker, ...unknown[]]>;
}

/** Null in a module or when a loader evaluates the text: then the tag is looked for. */
function findTag(): HTMLScriptElement | null {
  const current = document.currentScript;
  if (current?.localName === 'script') return current as HTMLScriptElement;
  return document.querySelector<HTMLScriptElement>('script[src][data-project]');
}

guard(() => {
  const tag = findTag();
  // What they mean is found out where all options are resolved.
  const { name = 'tracker', ...options } = Object.assign({}, tag?.dataset) as Options & { name?: string };
  const page = window as unknown as Record<string, (Stub & Partial<Tracker>) | undefined>;
  const stub = page[name];
  // The tag stands on the page twice: the first one records. (An element with this id shows up here, too.)
  if (typeof stub?.init === 'function' && !Array.isArray(stub.q)) return;
  // An inline script has an empty one.
  const source = new URL(tag?.src ?? '', location.href).href;
  const tracker = createTracker(
    // The server is where its script is, with the path that a proxy may put before it.
    { ...options, endpoint: options.endpoint ?? new URL('.', source).href },
    (part) => import(new URL(`tracker/${part}-${PART_HASHES[part]}.js`, source).href),
  );
  const call = ([method, ...given]: [keyof Tracker, ...unknown[]]): void => {
    guard(tracker[method] as (...given: unknown[]) => void)(...given);
  };
  const calls = stub?.q ? [...stub.q] : [];
  if (stub?.q) {
    // Whoever kept the stub has the tracker now.
    Object.defineProperties(stub, Object.getOwnPropertyDescriptors(tracker));
    stub.q = { push: call, [Symbol.iterator]: [][Symbol.iterator] };
  } else page[name] = tracker;
  // What the page said itself about its start comes in the place of ours.
  if (tag?.dataset.auto !== 'false' && !calls.some(([method]) => method === 'init')) tracker.init();
  calls.forEach(call);
})();
