import type { Context } from './context';
import { combineTeardowns, listen, type Teardown } from './guard';

/** Emits each change between hidden and visible once. */
export function initVisibility({ emit, beforeLeave }: Context): Teardown {
  let reported: string = document.visibilityState;
  const report = (state: string): void => {
    if (state !== reported) emit('visibility', { event_data: { state } });
    reported = state;
  };
  const check = (): void => {
    report(document.visibilityState);
  };
  return combineTeardowns([
    // A page that is left is reported as hidden only after its last batch.
    beforeLeave((isGoing) => {
      report(isGoing ? 'hidden' : document.visibilityState);
    }),
    listen(document, 'visibilitychange', check),
    // From the back/forward cache.
    listen(window, 'pageshow', check),
  ]);
}
