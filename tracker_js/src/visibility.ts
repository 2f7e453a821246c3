import type { Context } from './context';
import { combineTeardowns, listen, type Teardown } from './guard';

/** Hidden and visible, once each. */
export function initVisibility({ emit, beforeLeave }: Context): Teardown {
  let told: string = document.visibilityState;
  const tell = (state: string): void => {
    if (state !== told) emit('visibility', { event_data: { state } });
    told = state;
  };
  const look = (): void => {
    tell(document.visibilityState);
  };
  return combineTeardowns([
    // A page that is left is called hidden only when its last batch has gone.
    beforeLeave((isGoing) => {
      tell(isGoing ? 'hidden' : document.visibilityState);
    }),
    listen(document, 'visibilitychange', look),
    // From the back/forward cache.
    listen(window, 'pageshow', look),
  ]);
}
