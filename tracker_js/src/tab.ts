import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { uuid } from './uuid';

const KEY = 'tracker.tab';
/** What happened in one millisecond is told a millisecond apart, so that a busy page is a little ahead of the clock. */
const MAX_AHEAD_MS = 60_000;

/** The stream of one tab. */
export interface Tab {
  readonly id: string;
  /** The time now, later than any it gave before: events of a tab are in order by it, also when the clock is set back. */
  timestamp: () => string;
  stop: Teardown;
}

/**
 * The same from page to page. It stands in the storage only between two pages: a duplicated tab gets a copy of the
 * storage of a page that is open, finds nothing there, and is a tab of its own. Where nothing may be stored, each page is one.
 */
export function openTab(mayStore: () => boolean): Tab {
  let id = uuid().slice(0, 8);
  let last = 0;
  guard(() => {
    if (!mayStore()) return;
    const [, stored, time] = /^([\da-f]{8}) (\d+)$/.exec(sessionStorage.getItem(KEY) ?? '') ?? [];
    sessionStorage.removeItem(KEY);
    if (stored) {
      id = stored;
      // Not one of the future, left by a clock that was wrong.
      if (Number(time) < Date.now() + MAX_AHEAD_MS) last = Number(time);
    }
  })();
  const teardowns = [
    listen(window, 'pagehide', () => {
      if (mayStore()) sessionStorage.setItem(KEY, `${id} ${last}`);
    }),
    listen(window, 'pageshow', () => {
      if (mayStore()) sessionStorage.removeItem(KEY);
    }),
  ];
  return {
    id,
    timestamp() {
      last = Math.max(Date.now(), last + 1);
      return new Date(last).toISOString();
    },
    stop: combineTeardowns(teardowns),
  };
}
