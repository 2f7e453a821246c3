import type { PartContext } from './context';
import { combineTeardowns, listen, type Teardown } from './guard';

/**
 * How long a page was seen, and how far down. Told in pieces, whenever the page is hidden, left or followed by another
 * one of a single-page app: the sum of a page's pieces is its time, and what a crash takes is the last piece only.
 */
export function initPageTime({ emit, beforeLeave, onNavigate }: Pick<PartContext, 'emit' | 'beforeLeave' | 'onNavigate'>): Teardown {
  let url = location.href;
  /** When the piece began; undefined while nobody sees the page. */
  let since: number | undefined;
  /** Pixels from the top. */
  let deepest = 0;

  const look = (): void => {
    deepest = Math.max(deepest, scrollY + innerHeight);
  };
  const resume = (): void => {
    if (document.visibilityState === 'visible') since ??= performance.now();
  };
  const tell = (): void => {
    const visible = since === undefined ? 0 : Math.round(performance.now() - since);
    since = undefined;
    if (visible === 0) return;
    look();
    const height = Math.max(document.documentElement.scrollHeight, 1);
    emit('page_time', { page_url: url, event_data: { visible_ms: visible, depth_percent: Math.min(100, Math.round((deepest / height) * 100)) } });
  };

  resume();
  return combineTeardowns([
    beforeLeave((isGoing) => {
      tell();
      if (!isGoing) resume();
    }),
    onNavigate((samePath) => {
      if (!samePath) {
        tell();
        deepest = 0;
        resume();
      }
      url = location.href;
    }),
    listen(window, 'scroll', look),
    listen(document, 'visibilitychange', resume),
    listen(window, 'pageshow', resume),
  ]);
}
