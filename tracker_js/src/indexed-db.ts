import type { Lane } from './delivery-types';

/** `to` is the server and its project: nothing is ever sent elsewhere. `at` is when it began, in epoch milliseconds and later than those before; `size` in characters. */
export type ItemKey = [to: string, lane: Lane, at: number, owner: string, size: number];

/** What an item counts for while it grows. */
export const OPEN_SIZE = 20_000;

/** What waits on disk. */
export interface StoredItem {
  path: string;
  sessionId: string;
  text: string;
  events: number;
}

export interface ItemStore {
  /**
   * Puts and removes at once, or not at all; `onFail` then. What it takes is safe from the end of the page when this returns,
   * but for WebKit, which removes at a page's end and puts nothing any more.
   */
  write: (puts: [StoredItem, ItemKey][], gone: Iterable<ItemKey>, onFail: () => void, onDone?: () => void) => void;
  /** Of all that waits for this server and project, the oldest first. */
  keys: (lane: Lane) => Promise<ItemKey[]>;
  read: (key: ItemKey) => Promise<StoredItem | undefined>;
  clear: () => Promise<void>;
}

const NAME = 'items';

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new Error());
    };
  });
}

/** Rejects where the browser keeps nothing: private windows, blocked storage, a database that a newer script has made. */
export async function openItemStore(to: string): Promise<ItemStore> {
  const opening = indexedDB.open('tracker.outbox', 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(NAME);
  };
  const database = await done(opening);
  // Else a newer script, or a page that clears its storage, would wait for us. What is written from now on fails.
  database.onversionchange = () => {
    database.close();
  };
  /** Asks all at once. */
  const transact = <T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => T): T => {
    const transaction = database.transaction(NAME, mode, { durability: 'relaxed' });
    const asked = ask(transaction.objectStore(NAME));
    // Without it the browser waits for a page that may not be there any more, or rests: in WebKit all other pages would wait, too.
    transaction.commit?.();
    return asked;
  };
  /** An array is greater than any text or number. */
  const below = (...prefix: string[]): IDBKeyRange => IDBKeyRange.bound(prefix, [...prefix, []]);
  return {
    write(puts, gone, onFail, onDone) {
      transact('readwrite', (store) => {
        for (const put of puts) store.put(...put);
        for (const key of gone) store.delete(key);
        store.transaction.onabort = onFail;
        store.transaction.oncomplete = onDone ?? null;
      });
    },
    keys: (lane) => done(transact('readonly', (store) => store.getAllKeys(below(to, lane)) as IDBRequest<unknown[]>)) as Promise<ItemKey[]>,
    read: (key) => done(transact('readonly', (store) => store.get(key) as IDBRequest<StoredItem | undefined>)),
    clear: () => done(transact('readwrite', (store) => store.delete(below(to)))),
  };
}
