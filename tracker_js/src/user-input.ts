import { combineTeardowns, listen, type Teardown } from './guard';

/** A page that was thrown moves on for so long. */
const MOMENTUM_MS = 3_000;

/** A page scrolls by itself, too (a carousel): it is the visitor who scrolls while, or right after, a hand is at work. */
export function watchUserInput(): { isRecent: () => boolean; stop: Teardown } {
  let at = -Infinity;
  const see = (): void => {
    at = Date.now();
  };
  return {
    isRecent: () => Date.now() - at < MOMENTUM_MS,
    stop: combineTeardowns((['wheel', 'touchmove', 'pointerdown', 'keydown'] as const).map((type) => listen(window, type, see))),
  };
}
