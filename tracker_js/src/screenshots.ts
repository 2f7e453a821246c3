import type { Secrets, Teardown } from './types';
import type { Shot } from './screenshot.lazy';
import { all, guard, listen } from './guard';

/** A single-page app changes its URL first and its page then. */
const SETTLE_MS = 500;
/** A page that is never idle is taken all the same. */
const IDLE_TIMEOUT_MS = 2_000;

export type Capture = (secrets: Secrets) => Promise<Shot | undefined>;

export interface Screenshots {
  /** The page is another one now. */
  onPage: () => void;
  take: () => Promise<void>;
  teardown: Teardown;
}

/** One image of each page, when it has come to rest; the drawing itself is loaded only then. */
export function initScreenshots(secrets: Secrets, load: () => Promise<Capture>, send: (shot: Shot, pageUrl: string, timestamp: string) => void): Screenshots {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  let running: Promise<void> = Promise.resolve();

  const takeNow = async (): Promise<void> => {
    if (stopped) return;
    try {
      const capture = await load();
      const pageUrl = location.href;
      const timestamp = new Date().toISOString();
      const shot = await capture(secrets);
      // Drawing takes a moment; an image that began on one page and ended on another shows neither.
      if (shot && location.href === pageUrl && !stopped) send(shot, pageUrl, timestamp);
    } catch {
      // A policy of the page forbids it, or it cannot be drawn: the events alone must do.
    }
  };
  /** One after the other: two at once would only take the page twice as long. */
  const take = (): Promise<void> => (running = running.then(takeNow));

  const whenIdle = guard(() => {
    if (typeof requestIdleCallback === 'function') requestIdleCallback(() => void take(), { timeout: IDLE_TIMEOUT_MS });
    else void take();
  });
  const schedule = (): void => {
    clearTimeout(timer);
    timer = setTimeout(whenIdle, SETTLE_MS);
  };

  return {
    take,
    onPage() {
      if (document.readyState === 'complete') schedule();
    },
    teardown: all([
      () => {
        stopped = true;
        clearTimeout(timer);
      },
      // Before that, the images are not there yet.
      listen(window, 'load', schedule),
    ]),
  };
}
