import type { Item, Lane } from './delivery-types';
import { type ItemKey, OPEN_SIZE, openItemStore, type ItemStore, type StoredItem } from './indexed-db';
import { recoverPages, type RecoveryHandler } from './recovery';
import { uuid } from './uuid';
import { holdLock } from './web-locks';

/** Whatever is captured is on disk within a second: half of it waits for more, half is for a busy machine. */
const SAVE_MS = 500;
/** Placeholder for the time of the attempt. */
export const SENT_AT = '<sent_at>';

/** An unsent item. */
export interface JournalEntry {
  readonly item: Item;
  key: ItemKey;
  /** The body, once the item is complete. */
  text?: string | undefined;
  /** Number of its events that are on disk; undefined where it is not on disk at all. */
  saved?: number | undefined;
  /** Number of requests that are under way with it. */
  requests: number;
  /** It was sent with a last request. */
  wasSentLast?: boolean;
  onRemoved?: () => void;
}

/** Keeps unsent items on disk. */
export interface Journal {
  /** Returns the key for a new item. Without `text` the item is open, and grows. */
  key: (lane: Lane, text?: string) => ItemKey;
  /** The item does not grow any more. */
  complete: (entry: JournalEntry, text: string) => void;
  /** The page has something to save from now on. Starts the recovery of other pages' items. */
  begin: () => void;
  /** Saves new and grown items within half a second. */
  saveSoon: () => void;
  /** Saves them now: they survive the page's end when this returns. */
  save: () => void;
  /** Removes an item that is sent or dropped; with `isReplaced`, only once the items that replace it are on disk. */
  remove: (entry: JournalEntry, isReplaced?: boolean) => void;
  /** The page may be going: other pages may recover its items. No item may grow afterwards. */
  leave: () => void;
  clear: () => Promise<void>;
}

/** Where IndexedDB is unavailable nothing is saved, and everything else works. `remask` is applied to every body that is saved. */
export function createJournal(to: string, waiting: () => Iterable<JournalEntry>, limits: Record<Lane, number>, recovery: RecoveryHandler, remask: (text: string) => string): Journal {
  let opened: Promise<ItemStore> | undefined;
  /** Undefined while the owner's lock is not held: another page might send an item that still grows. */
  let store: ItemStore | undefined;
  let openedStore: ItemStore | undefined;
  let deletions: ItemKey[] = [];
  /** Keys of items that others replace: removed once those are on disk. */
  let replacedKeys: ItemKey[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Exists while items wait. Each time the page gets a new owner id, whose lock it holds because an item may grow. */
  let ownership: AbortController | undefined;
  let owner = '';
  const owners = new Set<string>();
  let lastAt = 0;

  /** The disk is full or was cleared: everything is saved again when the store can be opened. */
  const resetStore = (): void => {
    store = openedStore = opened = undefined;
    for (const entry of waiting()) entry.saved = undefined;
  };
  const releaseOwner = (): void => {
    ownership?.abort();
    ownership = undefined;
  };
  const save = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!store) return;
    const puts: [StoredItem, ItemKey][] = [];
    let isIdle = recovery.pending === 0;
    for (const entry of waiting()) {
      const { path, sessionId, events, open } = entry.item;
      // Other pages may send complete items, too, while this page is hidden.
      if (open || !document.hidden) isIdle = false;
      if (entry.saved === events) continue;
      entry.saved = events;
      puts.push([{ path, sessionId, events, text: remask(entry.text ?? entry.item.body(SENT_AT)) }, entry.key]);
    }
    const old = replacedKeys;
    replacedKeys = [];
    if (puts.length === 0) deletions.push(...old.splice(0));
    if (puts.length + deletions.length > 0) {
      const failed = (): void => {
        replacedKeys.push(...old);
        resetStore();
      };
      try {
        store.write(puts, deletions, failed, () => {
          deletions.push(...old);
          if (old.length > 0) saveSoon();
        });
      } catch {
        failed();
      }
      deletions = [];
    }
    // A browser neither freezes a page that holds a lock nor puts it into the back/forward cache.
    if (isIdle) releaseOwner();
  };
  const saveSoon = (): void => {
    // Timers of a hidden page may take a minute.
    if (document.hidden) save();
    else timer ??= setTimeout(save, SAVE_MS);
  };
  return {
    save,
    saveSoon,
    key(lane, text) {
      lastAt = Math.max(Date.now(), lastAt + 1);
      return [to, lane, lastAt, owner, text?.length ?? OPEN_SIZE];
    },
    complete(entry, text) {
      const [, lane, at, ownedBy, size] = entry.key;
      if (entry.saved !== undefined && size !== text.length) replacedKeys.push(entry.key);
      entry.key = [to, lane, at, ownedBy, text.length];
      entry.saved = undefined;
      entry.text = text;
    },
    begin() {
      if (ownership) return;
      const { signal } = (ownership = new AbortController());
      owners.add((owner = uuid()));
      const name = owner;
      store = undefined;
      // Not idle before it is known what is on disk.
      recovery.pending++;
      (opened ??= openItemStore(to))
        .then(async (open) => {
          openedStore = open;
          await holdLock(name, signal).catch(() => undefined);
          store = open;
          save();
          if (!signal.aborted) await recoverPages(open, limits, owners, signal, recovery);
        })
        .catch(() => {
          opened = undefined;
        })
        .finally(() => {
          recovery.pending--;
          saveSoon();
        });
    },
    remove(entry, isReplaced) {
      if (entry.saved === undefined) return;
      (isReplaced ? replacedKeys : deletions).push(entry.key);
      saveSoon();
    },
    leave() {
      // Nothing grows any more, so no lock is needed; a moment later the page may be gone.
      store ??= openedStore;
      save();
      releaseOwner();
    },
    async clear() {
      releaseOwner();
      deletions = [];
      replacedKeys = [];
      try {
        await (await (opened ??= openItemStore(to))).clear();
      } catch {
        opened = undefined;
      }
    },
  };
}
