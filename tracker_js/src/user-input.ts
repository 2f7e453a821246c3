import { combineTeardowns, listen, type Teardown } from './guard';

/** After a swipe a page scrolls on for about this long. */
const MOMENTUM_MS = 3_000;

/**
 * Distinguishes scrolling by the visitor from scrolling by the page (a carousel): true during and shortly after wheel, touch,
 * pointer or key input.
 */
export function watchUserInput(): { isRecent: () => boolean; stop: Teardown } {
  let at = -Infinity;
  const note = (): void => {
    at = Date.now();
  };
  return {
    isRecent: () => Date.now() - at < MOMENTUM_MS,
    stop: combineTeardowns((['wheel', 'touchmove', 'pointerdown', 'keydown'] as const).map((type) => listen(window, type, note))),
  };
}
