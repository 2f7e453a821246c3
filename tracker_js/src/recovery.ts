import type { Item, Lane } from './delivery-types';
import { type ItemKey, OPEN_SIZE, type ItemStore } from './indexed-db';
import { heldLocks, holdLock } from './web-locks';

/** The server's late window: it stores nothing older at its own time. */
const LATE_MS = 7 * 86_400_000;
/** In browsers without locks: by then a page that lives has completed its batch. */
const UNLOCKED_MS = 60_000;

/** What becomes of what other pages left behind. */
export interface RecoveryHandler {
  /** Resolves when it waits no longer. */
  send: (key: ItemKey, item: Item) => Promise<void>;
  giveUp: (key: ItemKey, item: Item) => void;
  /** How many things are under way: looking for leftovers, and taking up those of a page. */
  taking: number;
}

interface Lot {
  readonly store: ItemStore;
  readonly lane: Lane;
  readonly signal: AbortSignal;
  /** Characters to give up, so that the disk stays bounded. */
  excess: number;
  /** One page after the other, one item at a time: it never lies in memory as a whole. */
  last: Promise<void>;
}

async function take(lot: Lot, owner: string, recovery: RecoveryHandler): Promise<void> {
  const keys = await lot.store.keys(lot.lane);
  for (const key of keys) {
    const [, , at, by, size] = key;
    if (by !== owner || (!navigator.locks && at > Date.now() - UNLOCKED_MS)) continue;
    // It was complete before its page ended.
    if (size === OPEN_SIZE && keys.some((other) => other[2] === at && other[3] === by && other[4] !== size)) {
      lot.excess -= size;
      lot.store.write([], [key], () => undefined);
      continue;
    }
    const stored = await lot.store.read(key);
    if (lot.signal.aborted) return;
    if (!stored) continue;
    const item: Item = { ...stored, body: () => stored.text };
    if (lot.excess > 0 || at < Date.now() - LATE_MS) {
      lot.excess -= size;
      recovery.giveUp(key, item);
    } else await recovery.send(key, item);
  }
}

/**
 * Goes on with what other pages left behind (not what `own` names), page after page, until the signal. A page that lives is waited for: its
 * last batch may grow, and the server takes a batch as it comes first.
 */
export async function resume(store: ItemStore, limits: Record<Lane, number>, own: ReadonlySet<string>, signal: AbortSignal, recovery: RecoveryHandler): Promise<void> {
  const owners = new Set<string>();
  const lots: Lot[] = [];
  for (const lane of Object.keys(limits) as Lane[]) {
    const lot: Lot = { store, lane, signal, excess: -limits[lane], last: Promise.resolve() };
    lots.push(lot);
    for (const key of await store.keys(lane)) {
      lot.excess += key[4];
      if (!own.has(key[3])) owners.add(key[3]);
    }
  }
  const takeAll = (owner: string): void => {
    recovery.taking++;
    for (const lot of lots) lot.last = lot.last.then(() => take(lot, owner, recovery)).catch(() => undefined);
    void Promise.all(lots.map(({ last }) => last)).then(() => recovery.taking--);
  };
  const held = await heldLocks();
  for (const owner of owners) {
    // A page that lives is waited for, but that is nothing to do.
    const isGone = !held.has(owner);
    if (isGone) recovery.taking++;
    holdLock(owner, signal)
      .then(
        () => {
          takeAll(owner);
        },
        () => undefined,
      )
      .finally(() => {
        if (isGone) recovery.taking--;
      });
  }
}
