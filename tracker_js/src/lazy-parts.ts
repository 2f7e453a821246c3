import type { LoadPart, Part, PartContext, PartName } from './context';
import { guard, type Teardown } from './guard';

export interface LazyParts {
  /** Loads and starts a part, once. One that runs by itself is told when the page asks for it. */
  start: (name: PartName, context: PartContext, asked?: boolean) => void;
  /** Resolves when those that were started have loaded, or failed to. */
  loaded: () => Promise<unknown>;
  stop: (name: PartName) => void;
  stopAll: Teardown;
}

export function createLazyParts(load: LoadPart, debug: (...said: unknown[]) => void): LazyParts {
  /** Whether the page itself asked for it. */
  const wanted = new Map<PartName, boolean>();
  let loading: Promise<unknown> = Promise.resolve();
  const teardowns = new Map<PartName, Teardown>();
  const stop = (name: PartName): void => {
    const teardown = teardowns.get(name);
    wanted.delete(name);
    teardowns.delete(name);
    if (teardown) guard(teardown)();
  };
  return {
    start(name, context, asked = false) {
      if (wanted.has(name) && (!asked || wanted.get(name))) return;
      wanted.set(name, asked);
      loading = Promise.all([
        loading,
        load(name).then(
          guard((part: unknown) => {
            if (!wanted.has(name)) return;
            const isFirst = !teardowns.has(name);
            if (isFirst || asked) {
              const teardown = (part as Part).start(context, asked);
              if (isFirst) teardowns.set(name, teardown);
            }
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
      for (const name of wanted.keys()) stop(name);
    },
  };
}
