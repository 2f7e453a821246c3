import { combineTeardowns, guard, listen, type Teardown } from './guard';

/** Listens on the document and within the shadow trees in it. */
export type ListenDeep = (type: keyof DocumentEventMap, callback: (event: Event) => void) => void;

/** `change`, `submit`, `reset` and `scroll` do not leave their shadow tree: they are heard within each open one that the visitor comes to. */
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
        // What stands in a slot passes both. Where an engine does not know `signal`, the listener stays and says nothing.
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
