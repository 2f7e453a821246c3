import type { Context, Teardown } from './types';
import { all, listen } from './guard';

/** Hidden and visible, once each; a page that is left says "pagehide" first, and what it says after that goes in a request of its own. */
export function initVisibility({ emit }: Context): Teardown {
  let told: string = document.visibilityState;
  const tell = (state: string): void => {
    if (state !== told) emit('visibility', { event_data: { state } });
    told = state;
  };
  return all([
    listen(window, 'pagehide', () => {
      tell('hidden');
    }),
    listen(document, 'visibilitychange', () => {
      tell(document.visibilityState);
    }),
  ]);
}
