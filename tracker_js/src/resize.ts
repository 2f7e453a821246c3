import type { Context, Teardown } from './types';
import { all, listen } from './guard';
import { debounce } from './timing';

const REST_MS = 250;

export function initResize({ emit, beforeLeave }: Context): Teardown {
  const tell = debounce(() => {
    emit('resize', { event_data: { width: innerWidth, height: innerHeight, pixel_ratio: devicePixelRatio } });
  }, REST_MS);
  return all([tell.cancel, beforeLeave(tell.flush), listen(window, 'resize', tell)]);
}
