import type { PartContext } from './context';
import { combineTeardowns, listen, type Teardown } from './guard';

/**
 * Emits how long a page was visible and how far it was scrolled. It does so in pieces, whenever the page is hidden,
 * left or replaced within a single-page app: the sum of the pieces is the page's time, and a crash costs the last
 * piece only.
 */
export function initPageTime({ emit, beforeLeave, onNavigate }: Pick<PartContext, 'emit' | 'beforeLeave' | 'onNavigate'>): Teardown {
  let url = location.href;
  /** When the piece began; undefined while the page is hidden. */
  let since: number | undefined;
  /** Pixels from the top. */
  let deepest = 0;

  const measureDepth = (): void => {
    deepest = Math.max(deepest, scrollY + innerHeight);
  };
  const resume = (): void => {
    if (document.visibilityState === 'visible') since ??= performance.now();
  };
  const report = (): void => {
    const visible = since === undefined ? 0 : Math.round(performance.now() - since);
    since = undefined;
    if (visible === 0) return;
    measureDepth();
    const height = Math.max(document.documentElement.scrollHeight, 1);
    emit('page_time', { page_url: url, event_data: { visible_ms: visible, depth_percent: Math.min(100, Math.round((deepest / height) * 100)) } });
  };

  resume();
  return combineTeardowns([
    beforeLeave((isGoing) => {
      report();
      if (!isGoing) resume();
    }),
    onNavigate((samePage) => {
      if (!samePage) {
        report();
        deepest = 0;
        resume();
      }
      url = location.href;
    }),
    listen(window, 'scroll', measureDepth),
    listen(document, 'visibilitychange', resume),
    listen(window, 'pageshow', resume),
  ]);
}
