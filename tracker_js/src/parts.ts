import type { LoadPart, Part, PartContext, PartName, Teardown } from './types';
import { guard } from './guard';

export interface Parts {
  /** Loads and starts a part, once. */
  start: (name: PartName, context: PartContext, asked?: boolean) => void;
  /** Resolves when those that were started have loaded, or failed to. */
  loaded: () => Promise<unknown>;
  stop: (name: PartName) => void;
  stopAll: Teardown;
}

export function createParts(load: LoadPart, debug: (...said: unknown[]) => void): Parts {
  const wanted = new Set<PartName>();
  let loading: Promise<unknown> = Promise.resolve();
  const teardowns = new Map<PartName, Teardown>();
  const stop = (name: PartName): void => {
    const teardown = teardowns.get(name);
    wanted.delete(name);
    teardowns.delete(name);
    if (teardown) guard(teardown)();
  };
  return {
    start(name, context, asked) {
      if (wanted.has(name)) return;
      wanted.add(name);
      loading = Promise.all([
        loading,
        load(name).then(
          guard((part: unknown) => {
            if (wanted.has(name) && !teardowns.has(name)) teardowns.set(name, (part as Part).start(context, asked));
          }),
          (error: unknown) => {
            // A policy of the page forbids it, or it is gone: the rest must do.
            debug(`no ${name}:`, error);
          },
        ),
      ]);
    },
    loaded: () => loading,
    stop,
    stopAll() {
      wanted.forEach(stop);
    },
  };
}
