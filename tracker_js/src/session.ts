import { guard, type Teardown } from './guard';
import type { ProjectStorage } from './local-storage';
import { uuid } from './uuid';

/** A session ends after 30 minutes without activity, as analytics tools agree on. */
const IDLE_MS = 30 * 60_000;
/** A session ends after a day: a page that acts by itself would never end it. */
const MAX_SESSION_MS = 24 * 60 * 60_000;
/** Mouse moves come ten times a second; the storage is written at most this often. */
const SAVE_MS = 5_000;

interface StoredSession {
  id: string;
  /** First and last activity, epoch milliseconds. */
  born: number;
  at: number;
  /** The server has acknowledged the start of the session. */
  started?: boolean | undefined;
  user?: string;
}

export interface Session {
  readonly id: string;
  readonly started: boolean;
  readonly user: string | undefined;
  /**
   * Returns the id of the current session. Activity keeps it alive, or begins a new one after a pause. Without
   * activity (an error, a resize) neither happens.
   */
  touch: (activity: boolean) => string;
  /** Calls back, within `touch`, when a new session has begun. */
  onRenew: (callback: (id: string) => void) => Teardown;
  /** A session has one user: another user begins a new session, and so does none. */
  setUser: (user?: string) => void;
  markStarted: (id: string) => void;
  save: () => void;
}

export function createSession(storage: ProjectStorage, now: () => number = Date.now): Session {
  const callbacks = new Set<(id: string) => void>();

  const alive = ({ at, born }: StoredSession): boolean => now() - at < IDLE_MS && now() - born < MAX_SESSION_MS;
  const read = (): StoredSession | undefined => {
    const current = storage.read('session') as StoredSession | undefined;
    return current && /^[\da-f-]{36}$/.test(current.id) && current.at > 0 && current.born > 0 ? current : undefined;
  };
  const begin = (user?: string): StoredSession => ({ id: uuid(), born: now(), at: now(), ...(user && { user }) });
  const resume = (user?: string): StoredSession => {
    const stored = read();
    return stored && alive(stored) ? stored : begin(user ?? stored?.user);
  };

  let current = resume();
  let notifiedId = current.id;
  let savedAt = 0;
  const save = (): void => {
    savedAt = now();
    const stored = read();
    // Another tab of the same session may know more, or has begun the next session, which all tabs join.
    if (stored?.id === current.id) current = { ...stored, ...current, at: Math.max(current.at, stored.at), started: current.started ?? stored.started };
    else if (stored && stored.born > current.born && alive(stored)) current = stored;
    storage.write('session', current);
  };
  save();

  return {
    get id() {
      return current.id;
    },
    get started() {
      return current.started === true;
    },
    get user() {
      return current.user;
    },
    setUser(user) {
      if (user === undefined || (current.user !== undefined && current.user !== user)) current = begin(user);
      else current.user = user;
      save();
    },
    touch(activity) {
      if (activity) {
        // Another tab may have kept the session alive, or begun the next one.
        const renewed = !alive(current);
        if (renewed) current = resume(current.user);
        current.at = now();
        if (renewed || current.at - savedAt > SAVE_MS) save();
      }
      if (current.id !== notifiedId) {
        notifiedId = current.id;
        for (const callback of [...callbacks]) guard(callback)(notifiedId);
      }
      return current.id;
    },
    onRenew(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    markStarted(id) {
      if (current.id !== id) return;
      current.started = true;
      save();
    },
    save,
  };
}
