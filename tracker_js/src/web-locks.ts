const nameOf = (name: string): string => `tracker ${name}`;

/** Returns the names that pages of this site hold now; none where the browser has no Web Locks. */
export async function heldLocks(): Promise<Set<string | undefined>> {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return new Set(held.map(({ name }) => name?.replace(nameOf(''), '')));
}

/**
 * Resolves when no other page of this site holds the lock, and holds it until `signal` aborts. Resolves at once where
 * the browser has no Web Locks.
 */
export function holdLock(name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!navigator.locks) {
      resolve();
      return;
    }
    navigator.locks
      .request(nameOf(name), { signal }, () => {
        resolve();
        return new Promise((release) => {
          signal.addEventListener('abort', release);
        });
      })
      .catch(reject);
  });
}
