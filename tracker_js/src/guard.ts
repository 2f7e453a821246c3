/** Ends what a function has begun: removes its listeners, timers and patches. */
export type Teardown = () => void;

/** Wraps a callback so that no failure of it reaches the page: a tracker that breaks must break alone. */
export function guard<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      callback(...args);
    } catch {
      // Deliberately silent: a console.error here would be seen by the page's own error tooling.
    }
  };
}

type Events = WindowEventMap & DocumentEventMap;

/** A guarded listener in the capture phase (a page that stops propagation is recorded all the same), passive so that it never delays scrolling. */
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
