import type { PartContext, Teardown } from './types';
import { listen } from './guard';
import { pointOf, targetOf } from './target';

export function initDblclicks({ emit, describe }: Pick<PartContext, 'emit' | 'describe'>): Teardown {
  return listen(document, 'dblclick', (event) => {
    emit('dblclick', { ...describe(targetOf(event)), ...pointOf(event), mouse_button: event.button, click_count: 2 });
  });
}
