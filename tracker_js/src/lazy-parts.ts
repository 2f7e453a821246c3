import type { LoadPart, Part, PartContext, PartName } from './context';
import { guard, type Teardown } from './guard';

/** The observing parts: each is loaded and started once. */
export interface LazyParts {
  /** Loads and starts a part. A part that runs is started again only when the page requests it for the first time. */
  start: (name: PartName, context: PartContext, isRequested?: boolean) => void;
  /** Resolves when all parts have loaded or failed to; at once after `stopAll`. */
  loaded: () => Promise<unknown>;
  stop: (name: PartName) => void;
  /** Stops all parts. No part starts afterwards. */
  stopAll: Teardown;
}

export function createLazyParts(load: LoadPart, debug: (...messages: unknown[]) => void): LazyParts {
  /** The parts that are wanted, and whether the page itself requested them. */
  const wanted = new Map<PartName, boolean>();
  const teardowns = new Map<PartName, Teardown>();
  let loading: Promise<unknown> | undefined = Promise.resolve();
  const stop = (name: PartName): void => {
    const teardown = teardowns.get(name);
    wanted.delete(name);
    teardowns.delete(name);
    if (teardown) guard(teardown)();
  };
  return {
    start(name, context, isRequested = false) {
      if (!loading || (wanted.has(name) && (!isRequested || wanted.get(name)))) return;
      wanted.set(name, isRequested);
      loading = Promise.all([
        loading,
        load(name)
          .then((part: unknown) => {
            if (!wanted.has(name)) return;
            const isFirst = !teardowns.has(name);
            if (isFirst || isRequested) {
              const teardown = (part as Part).start(context, isRequested);
              if (isFirst) teardowns.set(name, teardown);
              debug(`${name} runs`);
            }
          })
          .catch((error: unknown) => {
            // A content security policy forbids it, the file is gone, or the page lacks what it needs: the tracker goes on without it.
            debug(`no ${name}:`, error);
          }),
      ]);
    },
    loaded: () => Promise.resolve(loading),
    stop,
    stopAll() {
      loading = undefined;
      for (const name of wanted.keys()) stop(name);
    },
  };
}
