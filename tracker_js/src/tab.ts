import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { uuid } from './uuid';

const KEY = 'tracker.tab';
/** Events within one millisecond get times a millisecond apart, so the clock of a busy page runs a little ahead. */
const MAX_AHEAD_MS = 60_000;

/** The identity and the clock of one tab. */
export interface Tab {
  readonly id: string;
  /** Returns the current time, always later than before: the events of a tab are ordered by it, also when the clock is set back. */
  timestamp: () => string;
  stop: Teardown;
}

/**
 * The id stays the same from page to page. It is in the sessionStorage only between two pages: a duplicated tab gets a
 * copy of the storage of an open page, finds no id there, and gets its own. Without storage each page has its own id.
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
      // A wrong clock may have left a time in the future.
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
