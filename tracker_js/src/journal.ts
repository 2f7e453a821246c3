import type { Item, Lane } from './delivery-types';
import { type ItemKey, OPEN_SIZE, openItemStore, type ItemStore, type StoredItem } from './indexed-db';
import { resume, type RecoveryHandler } from './recovery';
import { uuid } from './uuid';
import { holdLock } from './web-locks';

/** What is captured is on disk within a second: half of it to wait for more, half for a busy machine. */
const SAVE_MS = 500;
/** Stands for the time of the attempt. */
export const SENT_AT = '<sent_at>';

/** An item that waits. */
export interface JournalEntry {
  readonly item: Item;
  key: ItemKey;
  /** The body, once it is complete. */
  text?: string | undefined;
  /** How many events of it are on disk; undefined of what is not there at all. */
  saved?: number | undefined;
  /** Requests under way with it. */
  flights: number;
  /** It went with a last request. */
  left?: boolean;
  onGone?: () => void;
}

/** What waits, on disk. */
export interface Journal {
  /** The name for an item that comes now; without its body it is one that grows. */
  key: (lane: Lane, text?: string) => ItemKey;
  /** It does not grow any more. */
  complete: (entry: JournalEntry, text: string) => void;
  /** The page has something to write from now on; takes up what others left behind. */
  begin: () => void;
  /** Writes within half a second what is not there yet, or has grown. */
  saveSoon: () => void;
  /** The same now: it is safe from the page's end when this returns. */
  save: () => void;
  /** It is done, or stands in others from now on. */
  forget: (entry: JournalEntry, isReplaced?: boolean) => void;
  /** The page may be going: what it wrote may be taken up by others. No item may grow from then on. */
  leave: () => void;
  clear: () => Promise<void>;
}

/** Where the browser keeps nothing, nothing is written and all else goes on. `seal` has the last word about what is. */
export function createJournal(to: string, waiting: () => Iterable<JournalEntry>, limits: Record<Lane, number>, recovery: RecoveryHandler, remask: (text: string) => string): Journal {
  let opened: Promise<ItemStore> | undefined;
  /** Undefined while the owner's name is not held: others might send an item that grows. */
  let store: ItemStore | undefined;
  let ready: ItemStore | undefined;
  let gone: ItemKey[] = [];
  /** What others stand for: it goes when they are there. */
  let replaced: ItemKey[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** While something waits. It has an owner of its own, whose name is held, for an item may grow. */
  let stay: AbortController | undefined;
  let owner = '';
  const owners = new Set<string>();
  let lastAt = 0;

  /** A full disk, or one that was cleared: what waits is written once more when there is a store again. */
  const fail = (): void => {
    store = ready = opened = undefined;
    for (const entry of waiting()) entry.saved = undefined;
  };
  const endStay = (): void => {
    stay?.abort();
    stay = undefined;
  };
  const save = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!store) return;
    const puts: [StoredItem, ItemKey][] = [];
    let isIdle = recovery.taking === 0;
    for (const entry of waiting()) {
      const { path, sessionId, events, open } = entry.item;
      // What is complete may be sent by others, too, while this page rests.
      if (open || !document.hidden) isIdle = false;
      if (entry.saved === events) continue;
      entry.saved = events;
      puts.push([{ path, sessionId, events, text: remask(entry.text ?? entry.item.body(SENT_AT)) }, entry.key]);
    }
    const old = replaced;
    replaced = [];
    if (puts.length === 0) gone.push(...old.splice(0));
    if (puts.length + gone.length > 0) {
      const failed = (): void => {
        replaced.push(...old);
        fail();
      };
      try {
        store.write(puts, gone, failed, () => {
          gone.push(...old);
          if (old.length > 0) saveSoon();
        });
      } catch {
        failed();
      }
      gone = [];
    }
    // A browser neither rests a page that holds a name, nor keeps it for going back.
    if (isIdle) endStay();
  };
  const saveSoon = (): void => {
    // Timers of a page in the background may take a minute.
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
      const [, lane, at, by, size] = entry.key;
      if (entry.saved !== undefined && size !== text.length) replaced.push(entry.key);
      entry.key = [to, lane, at, by, text.length];
      entry.saved = undefined;
      entry.text = text;
    },
    begin() {
      if (stay) return;
      const { signal } = (stay = new AbortController());
      owners.add((owner = uuid()));
      const name = owner;
      store = undefined;
      // Not idle before it is known what is there.
      recovery.taking++;
      (opened ??= openItemStore(to))
        .then(async (open) => {
          ready = open;
          await holdLock(name, signal).catch(() => undefined);
          store = open;
          save();
          if (!signal.aborted) await resume(open, limits, owners, signal, recovery);
        })
        .catch(() => {
          opened = undefined;
        })
        .finally(() => {
          recovery.taking--;
          saveSoon();
        });
    },
    forget(entry, isReplaced) {
      if (entry.saved === undefined) return;
      (isReplaced ? replaced : gone).push(entry.key);
      saveSoon();
    },
    leave() {
      // Nothing grows any more, so that no name need be held; a moment later the page may be gone.
      store ??= ready;
      save();
      endStay();
    },
    async clear() {
      endStay();
      gone = [];
      replaced = [];
      try {
        await (await (opened ??= openItemStore(to))).clear();
      } catch {
        opened = undefined;
      }
    },
  };
}
