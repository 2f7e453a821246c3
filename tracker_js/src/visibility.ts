import type { Context, Teardown } from './types';
import { all, listen } from './guard';

/** Hidden and visible, once each; a page that is left says "pagehide" first, and what it says after that goes in a request of its own. */
export function initVisibility({ emit, beforeLeave }: Context): Teardown {
  let told: string = document.visibilityState;
  const tell = (state: string): void => {
    if (state !== told) emit('visibility', { event_data: { state } });
    told = state;
  };
  const look = (): void => {
    tell(document.visibilityState);
  };
  return all([
    // Before the last batch: the core hears of it earlier than we do.
    beforeLeave(look),
    listen(document, 'visibilitychange', look),
    listen(window, 'pagehide', () => {
      tell('hidden');
    }),
    // From the back/forward cache.
    listen(window, 'pageshow', look),
  ]);
}
