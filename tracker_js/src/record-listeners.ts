import { guard, type Teardown } from './guard';

/** Listeners of rrweb that it does not remove itself (see rrweb.mjs), by their type. */
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
      // The window of a frame that has gone to another site.
    }
  }
  ends.delete(type);
}

const frames = new WeakMap<Document, Teardown>();

/** rrweb observes a frame's document anew at each snapshot, and ends nothing: what it began before ends here. */
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
      // An end resets all buffers there are, and with them what watches shadow trees and canvases.
      const others = buffers.splice(0).filter((buffer) => !made.includes(buffer));
      try {
        end();
      } finally {
        buffers.push(...others);
      }
    }),
  );
}
