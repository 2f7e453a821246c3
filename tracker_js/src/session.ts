import { uuid } from './uuid';

/** A visit ends after 30 minutes without activity: the pause that analytics tools agree on. */
const IDLE_MS = 30 * 60_000;
/** Mouse moves come ten a second; the storage is written at most this often. */
const SAVE_MS = 5_000;

interface Visit {
  id: string;
  /** Last activity, epoch milliseconds. */
  at: number;
  /** The server has acknowledged its start. */
  started?: boolean;
  user?: string | undefined;
}

export interface Session {
  readonly id: string;
  readonly started: boolean;
  user: string | undefined;
  /** The session's id now. Activity keeps it alive, or begins a new one after the pause; what happens by itself (an error, a resize) does neither. */
  touch: (activity: boolean) => string;
  markStarted: (id: string) => void;
  save: () => void;
}

/** localStorage first, for a visit spans tabs; a browser may refuse either, and then the page alone remembers. */
function openStores(): Storage[] {
  const stores: Storage[] = [];
  for (const name of ['localStorage', 'sessionStorage'] as const) {
    try {
      stores.push(window[name]);
    } catch {
      // Blocked by the browser's settings or a sandbox: the next one, or memory.
    }
  }
  return stores;
}

export function createSession(project: string, now: () => number = Date.now): Session {
  const key = `tracker.session.${project}`;
  const stores = openStores();

  const read = (): Visit | undefined => {
    for (const store of stores) {
      try {
        const visit = JSON.parse(store.getItem(key) ?? 'null') as Visit | null;
        if (visit && /^[\da-f-]{36}$/.test(visit.id) && visit.at > 0) return visit;
      } catch {
        // Unreadable: as if nothing was there.
      }
    }
    return undefined;
  };
  const alive = (visit: Visit): boolean => now() - visit.at < IDLE_MS;
  const resume = (user?: string): Visit => {
    const stored = read();
    return stored && alive(stored) ? stored : { id: uuid(), at: now(), user: user ?? stored?.user };
  };

  let visit = resume();
  let savedAt = 0;
  const save = (): void => {
    savedAt = now();
    const stored = read();
    if (stored?.id === visit.id) {
      // Another tab of the same visit may know more.
      if (stored.started) visit.started = true;
      visit.at = Math.max(visit.at, stored.at);
    }
    for (const store of stores) {
      try {
        store.setItem(key, JSON.stringify(visit));
        return;
      } catch {
        // Full or refused: try the next.
      }
    }
  };
  save();

  return {
    get id() {
      return visit.id;
    },
    get started() {
      return visit.started === true;
    },
    get user() {
      return visit.user;
    },
    set user(user) {
      visit.user = user;
      save();
    },
    touch(activity) {
      if (!activity) return visit.id;
      // Before giving up an old visit: another tab may have kept it alive, or begun the next.
      const renewed = !alive(visit);
      if (renewed) visit = resume(visit.user);
      visit.at = now();
      if (renewed || visit.at - savedAt > SAVE_MS) save();
      return visit.id;
    },
    markStarted(id) {
      if (visit.id !== id) return;
      visit.started = true;
      save();
    },
    save,
  };
}
