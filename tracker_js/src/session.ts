import { guard, type Teardown } from './guard';
import type { ProjectStorage } from './local-storage';
import { uuid } from './uuid';

/** A visit ends after 30 minutes without activity: the pause that analytics tools agree on. */
const IDLE_MS = 30 * 60_000;
/** And after a day: a page that moves by itself would never end it. */
const LONGEST_MS = 24 * 60 * 60_000;
/** Mouse moves come ten a second; the storage is written at most this often. */
const SAVE_MS = 5_000;

interface Visit {
  id: string;
  /** First and last activity, epoch milliseconds. */
  born: number;
  at: number;
  /** The server has acknowledged its start. */
  started?: boolean | undefined;
  user?: string;
}

export interface Session {
  readonly id: string;
  readonly started: boolean;
  readonly user: string | undefined;
  /** The session's id now. Activity keeps it alive, or begins a new one after the pause; what happens by itself (an error, a resize) does neither. */
  touch: (activity: boolean) => string;
  /** Calls back, within `touch`, when the session is another one than it was. */
  onRenew: (callback: (id: string) => void) => Teardown;
  /** A visit has one user: a second one begins a new visit, and none forgets the user too. */
  setUser: (user?: string) => void;
  markStarted: (id: string) => void;
  save: () => void;
}

export function createSession(storage: ProjectStorage, now: () => number = Date.now): Session {
  const callbacks = new Set<(id: string) => void>();

  const alive = ({ at, born }: Visit): boolean => now() - at < IDLE_MS && now() - born < LONGEST_MS;
  const read = (): Visit | undefined => {
    const visit = storage.read('session') as Visit | undefined;
    return visit && /^[\da-f-]{36}$/.test(visit.id) && visit.at > 0 && visit.born > 0 ? visit : undefined;
  };
  const begin = (user?: string): Visit => ({ id: uuid(), born: now(), at: now(), ...(user && { user }) });
  const resume = (user?: string): Visit => {
    const stored = read();
    return stored && alive(stored) ? stored : begin(user ?? stored?.user);
  };

  let visit = resume();
  let told = visit.id;
  let savedAt = 0;
  const save = (): void => {
    savedAt = now();
    const stored = read();
    // Another tab of the same visit may know more; or it has begun the next one, to which all tabs go over.
    if (stored?.id === visit.id) visit = { ...stored, ...visit, at: Math.max(visit.at, stored.at), started: visit.started ?? stored.started };
    else if (stored && stored.born > visit.born && alive(stored)) visit = stored;
    storage.write('session', visit);
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
    setUser(user) {
      if (user === undefined || (visit.user !== undefined && visit.user !== user)) visit = begin(user);
      else visit.user = user;
      save();
    },
    touch(activity) {
      if (activity) {
        // Before giving up an old visit: another tab may have kept it alive, or begun the next.
        const renewed = !alive(visit);
        if (renewed) visit = resume(visit.user);
        visit.at = now();
        if (renewed || visit.at - savedAt > SAVE_MS) save();
      }
      if (visit.id !== told) {
        told = visit.id;
        for (const callback of [...callbacks]) guard(callback)(told);
      }
      return visit.id;
    },
    onRenew(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    markStarted(id) {
      if (visit.id !== id) return;
      visit.started = true;
      save();
    },
    save,
  };
}
