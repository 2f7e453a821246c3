import type { Context, Teardown } from './types';
import { all, listen } from './guard';
import { pointOf } from './target';
import { throttle } from './timing';

const MOVE_MS = 100;

/** Without a target: moves are most of all events, and a heat map needs only where. */
export function initMoves({ emit, beforeLeave }: Context): Teardown {
  const tell = throttle((event: MouseEvent) => {
    emit('mousemove', pointOf(event));
  }, MOVE_MS);
  return all([tell.cancel, beforeLeave(tell.flush), listen(document, 'mousemove', tell)]);
}
