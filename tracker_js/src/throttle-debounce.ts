import { guard } from './guard';

export interface Timed<A extends unknown[]> {
  (...args: A): void;
  /** Runs a waiting call at once. */
  flush: () => void;
  cancel: () => void;
}

function timed<A extends unknown[]>(callback: (...args: A) => void, wait: () => number, restart: boolean): Timed<A> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let latest: A | undefined;
  const run = guard(() => {
    clearTimeout(timer);
    timer = undefined;
    const args = latest;
    latest = undefined;
    if (args) callback(...args);
  });
  const call = (...args: A): void => {
    latest = args;
    if (restart) clearTimeout(timer);
    else if (timer !== undefined) return;
    const delay = wait();
    if (delay > 0) timer = setTimeout(run, delay);
    else run();
  };
  return Object.assign(call, {
    flush: run,
    cancel: () => {
      latest = undefined;
      run();
    },
  });
}

/** At most one call in `ms`: the first at once, the last one after the pause. */
export function throttle<A extends unknown[]>(callback: (...args: A) => void, ms: number): Timed<A> {
  let last = -Infinity;
  return timed(
    (...args: A) => {
      last = Date.now();
      callback(...args);
    },
    // A clock that is set back must not silence an observer until it has caught up.
    () => Math.min(ms, last + ms - Date.now()),
    false,
  );
}

/** One call after a pause of `ms`. */
export function debounce<A extends unknown[]>(callback: (...args: A) => void, ms: number): Timed<A> {
  return timed(callback, () => ms, true);
}
