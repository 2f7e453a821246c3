import type { Teardown } from './types';

/**
 * What `web-vitals` finds in place of these globals (`inject` in build.mjs): it has no end of its own, and no listener
 * of ours may stay when the tracker stops.
 */
const undo = new Set<Teardown>();

export function addEventListener(...args: Parameters<typeof globalThis.addEventListener>): void {
  globalThis.addEventListener(...args);
  undo.add(() => {
    globalThis.removeEventListener(args[0], args[1], args[2]);
  });
}

function observed(): typeof globalThis.PerformanceObserver | undefined {
  const Original = globalThis.PerformanceObserver;
  // Missing: the library finds that out by itself.
  if (typeof Original !== 'function') return undefined;
  return class extends Original {
    constructor(callback: PerformanceObserverCallback) {
      super(callback);
      undo.add(() => {
        this.disconnect();
      });
    }
  };
}
export const PerformanceObserver = /* @__PURE__ */ observed();

export function stopVitals(): void {
  for (const teardown of undo) teardown();
  undo.clear();
}
