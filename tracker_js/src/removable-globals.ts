import type { Teardown } from './guard';

/**
 * Replace these globals in `web-vitals` (`inject` in build.mjs): the library cannot be stopped, and no listener may
 * remain when the tracker stops.
 */
const undo = new Set<Teardown>();

type Listening = Parameters<typeof globalThis.addEventListener>;
const listening = new Set<Listening>();

export function addEventListener(...args: Listening): void {
  globalThis.addEventListener(...args);
  listening.add(args);
}

export function removeEventListener(...args: Listening): void {
  globalThis.removeEventListener(...args);
  for (const one of listening) if (one[0] === args[0] && one[1] === args[1]) listening.delete(one);
}

function observed(): typeof globalThis.PerformanceObserver | undefined {
  const Original = globalThis.PerformanceObserver;
  // Missing: the library checks for it.
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
  for (const args of [...listening]) removeEventListener(...args);
  for (const teardown of undo) teardown();
  undo.clear();
}
