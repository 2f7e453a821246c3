import type { Lane } from './delivery-types';

/**
 * `to` is the server and the project: the item is sent nowhere else. `at` is the time it was opened, in epoch
 * milliseconds, unique and ascending in a page. `size` is in characters.
 */
export type ItemKey = [to: string, lane: Lane, at: number, owner: string, size: number];

/** Assumed size of an open item. */
export const OPEN_SIZE = 20_000;

/** An unsent item on disk. */
export interface StoredItem {
  path: string;
  sessionId: string;
  text: string;
  events: number;
}

export interface ItemStore {
  /**
   * Puts and deletes in one transaction; calls `onFail` where it aborts. When this returns, the transaction survives
   * the page's end. WebKit is the exception: at a page's end it executes deletes but no puts.
   */
  write: (puts: [StoredItem, ItemKey][], deletions: Iterable<ItemKey>, onFail: () => void, onDone?: () => void) => void;
  /** Returns the keys of a lane for this server and project, the oldest first. */
  keys: (lane: Lane) => Promise<ItemKey[]>;
  read: (key: ItemKey) => Promise<StoredItem | undefined>;
  clear: () => Promise<void>;
}

const NAME = 'items';

function promiseOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new Error());
    };
  });
}

/** Rejects where IndexedDB is unavailable: private windows, blocked storage, a database of a newer version. */
export async function openItemStore(to: string): Promise<ItemStore> {
  const opening = indexedDB.open('tracker.outbox', 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(NAME);
  };
  const database = await promiseOf(opening);
  // Otherwise a newer version, or a page that clears its storage, would wait for this page. Writes fail from then on.
  database.onversionchange = () => {
    database.close();
  };
  /** Makes all requests of a transaction at once. */
  const transact = <T>(mode: IDBTransactionMode, request: (store: IDBObjectStore) => T): T => {
    const transaction = database.transaction(NAME, mode, { durability: 'relaxed' });
    const result = request(transaction.objectStore(NAME));
    // Without it the browser waits for a page that may be gone or frozen; in WebKit all other pages would wait, too.
    transaction.commit?.();
    return result;
  };
  /** An array sorts after every string and number. */
  const keysWithPrefix = (...prefix: string[]): IDBKeyRange => IDBKeyRange.bound(prefix, [...prefix, []]);
  return {
    write(puts, deletions, onFail, onDone) {
      transact('readwrite', (store) => {
        for (const put of puts) store.put(...put);
        for (const key of deletions) store.delete(key);
        store.transaction.onabort = onFail;
        store.transaction.oncomplete = onDone ?? null;
      });
    },
    keys: (lane) => promiseOf(transact('readonly', (store) => store.getAllKeys(keysWithPrefix(to, lane)) as IDBRequest<unknown[]>)) as Promise<ItemKey[]>,
    read: (key) => promiseOf(transact('readonly', (store) => store.get(key) as IDBRequest<StoredItem | undefined>)),
    clear: () => promiseOf(transact('readwrite', (store) => store.delete(keysWithPrefix(to)))),
  };
}
