import { combineTeardowns, guard, listen, type Teardown } from './guard';

/** Listens on the document and within its shadow trees. */
export type ListenDeep = (type: keyof DocumentEventMap, callback: (event: Event) => void) => void;

/**
 * `change`, `submit`, `reset` and `scroll` do not leave their shadow tree: this listens within each open tree that the
 * visitor enters.
 */
export function watchShadowTrees(): { listenDeep: ListenDeep; teardown: Teardown } {
  const ending = new AbortController();
  const known = new WeakSet<EventTarget>();
  const wanted: [string, (event: Event) => void][] = [];
  const enter = (event: Event): void => {
    for (const root of event.composedPath()) {
      if ((root as Node).nodeType !== Node.DOCUMENT_FRAGMENT_NODE || known.has(root)) continue;
      known.add(root);
      for (const [type, callback] of wanted) root.addEventListener(type, callback, { capture: true, passive: true, signal: ending.signal });
    }
  };
  const teardowns = [
    () => {
      ending.abort();
    },
    listen(document, 'focusin', enter),
    listen(document, 'pointerover', enter),
  ];
  return {
    listenDeep(type, callback) {
      let last: Event | undefined;
      const once = guard((event: Event) => {
        // An event in a slot passes both. Where a browser does not support `signal`, the listener stays and does nothing.
        if (event === last || ending.signal.aborted) return;
        last = event;
        callback(event);
      });
      wanted.push([type, once]);
      teardowns.push(listen(document, type, once));
    },
    teardown: combineTeardowns(teardowns),
  };
}
