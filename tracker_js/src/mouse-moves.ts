import type { Context } from './context';
import { pointerPosition } from './event-target';
import { combineTeardowns, listen, type Teardown } from './guard';
import { throttle } from './throttle-debounce';

const MOVE_MS = 100;

/** Without a target: moves are most of all events, and a heatmap needs only coordinates. */
export function initMouseMoves({ emit, beforeLeave }: Context): Teardown {
  const report = throttle((event: MouseEvent) => {
    emit('mousemove', pointerPosition(event));
  }, MOVE_MS);
  return combineTeardowns([report.cancel, beforeLeave(report.flush), listen(document, 'mousemove', report)]);
}
