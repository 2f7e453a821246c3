import type { Teardown } from './types';

/** Listeners of rrweb that it does not remove itself (see rrweb.mjs), by their type. */
const ends = new Map<string, Set<Teardown>>();

export function listenTo(target: EventTarget | null | undefined, type: string, listener: EventListener): void {
  if (!target) return;
  target.addEventListener(type, listener);
  const known = ends.get(type) ?? new Set();
  ends.set(type, known);
  known.add(() => {
    target.removeEventListener(type, listener);
  });
}

export function stopListening(type: string): void {
  for (const end of ends.get(type) ?? []) {
    try {
      end();
    } catch {
      // The window of a frame that has gone to another site.
    }
  }
  ends.delete(type);
}
