import type { Context } from './context';
import type { EventFields } from './event';
import { pointerPosition, targetOf } from './event-target';
import { listen, type Teardown } from './guard';

/** Three clicks within a second at one place: the visitor expects a response and gets none. */
const RAGE_CLICKS = 3;
const RAGE_MS = 1_000;
const RAGE_PX = 30;

/** Emits clicks and rage clicks. */
export function initClicks({ emit }: Pick<Context, 'emit'>): Teardown {
  let burst: { target: EventTarget | null; x: number; y: number; last: number; recent: number[]; reported: boolean } | undefined;

  /** True for the third click of a burst only: the following ones belong to the same rage click. */
  const isRage = (target: EventTarget | null, { clientX: x, clientY: y, timeStamp }: MouseEvent): boolean => {
    const same = burst?.target === target && Math.hypot(x - burst.x, y - burst.y) <= RAGE_PX && timeStamp - burst.last <= RAGE_MS;
    if (!burst || !same) burst = { target, x, y, last: timeStamp, recent: [], reported: false };
    burst.last = timeStamp;
    burst.recent = [...burst.recent.filter((time) => timeStamp - time <= RAGE_MS), timeStamp];
    if (burst.reported || burst.recent.length < RAGE_CLICKS) return false;
    burst.reported = true;
    return true;
  };

  return listen(document, 'click', (event: MouseEvent) => {
    const target = targetOf(event);
    const fields: EventFields = { ...pointerPosition(event), mouse_button: event.button, click_count: event.detail };
    emit('click', fields, target);
    if (isRage(target, event)) emit('rage_click', { ...fields, click_count: RAGE_CLICKS }, target);
  });
}
