import type { Context } from './context';
import { combineTeardowns, listen, type Teardown } from './guard';
import { debounce } from './throttle-debounce';

const REST_MS = 250;

export function initResize({ emit, beforeLeave }: Context): Teardown {
  const tell = debounce(() => {
    emit('resize', { event_data: { width: innerWidth, height: innerHeight, pixel_ratio: devicePixelRatio } });
  }, REST_MS);
  return combineTeardowns([tell.cancel, beforeLeave(tell.flush), listen(window, 'resize', tell)]);
}
