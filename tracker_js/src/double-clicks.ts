import type { PartContext } from './context';
import { pointerPosition, targetOf } from './event-target';
import { listen, type Teardown } from './guard';

export function initDoubleClicks({ emit, describe }: Pick<PartContext, 'emit' | 'describe'>): Teardown {
  return listen(document, 'dblclick', (event) => {
    emit('dblclick', { ...describe(targetOf(event)), ...pointerPosition(event), mouse_button: event.button, click_count: 2 });
  });
}
