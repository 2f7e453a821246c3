import type { Context, Teardown } from './types';
import { all, listen } from './guard';
import { throttle } from './timing';

const MOVE_MS = 100;

/** Without a target: moves are most of all events, and a heat map needs only where. */
export function initMoves({ emit }: Context): Teardown {
  const tell = throttle((event: MouseEvent) => {
    emit('mousemove', {
      viewport_x: Math.round(event.clientX),
      viewport_y: Math.round(event.clientY),
      screen_x: Math.round(event.screenX),
      screen_y: Math.round(event.screenY),
      scroll_x: Math.round(scrollX),
      scroll_y: Math.round(scrollY),
    });
  }, MOVE_MS);
  return all([tell.cancel, listen(document, 'mousemove', tell)]);
}
