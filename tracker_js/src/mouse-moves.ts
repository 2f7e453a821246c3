import type { Context } from './context';
import { pointerPosition } from './event-target';
import { combineTeardowns, listen, type Teardown } from './guard';
import { throttle } from './throttle-debounce';

const MOVE_MS = 100;

/** Without a target: moves are most of all events, and a heat map needs only where. */
export function initMouseMoves({ emit, beforeLeave }: Context): Teardown {
  const tell = throttle((event: MouseEvent) => {
    emit('mousemove', pointerPosition(event));
  }, MOVE_MS);
  return combineTeardowns([tell.cancel, beforeLeave(tell.flush), listen(document, 'mousemove', tell)]);
}
