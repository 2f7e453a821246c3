/** Ends what a function has begun: removes its listeners, timers and patches. */
export type Teardown = () => void;

/** Wraps a callback so that its exceptions do not reach the page. */
export function guard<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      callback(...args);
    } catch {
      // Silent on purpose: the page's error tooling would see a console.error.
    }
  };
}

type Events = WindowEventMap & DocumentEventMap;

/**
 * Adds a guarded listener: in the capture phase, so that `stopPropagation` does not hide events, and passive, so that
 * it never delays scrolling.
 */
export function listen<T extends keyof Events>(target: EventTarget, type: T, callback: (event: Events[T]) => void): Teardown {
  const guarded = guard(callback) as EventListener;
  const options = { capture: true, passive: true };
  target.addEventListener(type, guarded, options);
  return () => {
    target.removeEventListener(type, guarded, options);
  };
}

export function combineTeardowns(teardowns: Teardown[]): Teardown {
  return () => {
    for (const teardown of teardowns.splice(0).reverse()) guard(teardown)();
  };
}
