import type { Context } from './context';
import { combineTeardowns, listen, type Teardown } from './guard';
import { debounce } from './throttle-debounce';

const PAUSE_MS = 250;

export function initResize({ emit, beforeLeave }: Context): Teardown {
  const report = debounce(() => {
    emit('resize', { event_data: { width: innerWidth, height: innerHeight, pixel_ratio: devicePixelRatio } });
  }, PAUSE_MS);
  return combineTeardowns([report.cancel, beforeLeave(report.flush), listen(window, 'resize', report)]);
}
