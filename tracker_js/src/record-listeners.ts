import { guard, type Teardown } from './guard';

/** Listeners that rrweb does not remove itself (rrweb.mjs), by type. */
const ends = new Map<string, Set<Teardown>>();

export function listenTo(target: EventTarget | null | undefined, type: string, listener: EventListener): void {
  if (!target) return;
  // A page may send any message.
  const guarded = guard(listener);
  target.addEventListener(type, guarded);
  const known = ends.get(type) ?? new Set();
  ends.set(type, known);
  known.add(() => {
    target.removeEventListener(type, guarded);
  });
}

export function stopListening(type: string): void {
  for (const end of ends.get(type) ?? []) {
    try {
      end();
    } catch {
      // The window of a frame that has moved to another site.
    }
  }
  ends.delete(type);
}

const frames = new WeakMap<Document, Teardown>();

/** rrweb observes the documents of frames anew at each snapshot and ends nothing. This ends the previous observation. */
export function observeFrame(frame: Document, observe: (frame: Document) => Teardown, handlers: Teardown[], buffers: unknown[]): void {
  frames.get(frame)?.();
  const { length } = buffers;
  const end = observe(frame);
  const made = buffers.slice(length);
  handlers.push(end);
  frames.set(
    frame,
    guard(() => {
      if (handlers.includes(end)) handlers.splice(handlers.indexOf(end), 1);
      // The end of one observation resets all buffers, also those of shadow trees and canvases.
      const others = buffers.splice(0).filter((buffer) => !made.includes(buffer));
      try {
        end();
      } finally {
        buffers.push(...others);
      }
    }),
  );
}
