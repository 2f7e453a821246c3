import type { Item, Lane } from './delivery-types';
import { type ItemKey, OPEN_SIZE, type ItemStore } from './indexed-db';
import { heldLocks, holdLock } from './web-locks';

/** The server stores nothing older at its own time. */
const LATE_MS = 7 * 86_400_000;
/** In browsers without Web Locks: by then a live page has completed its batch. */
const UNLOCKED_MS = 60_000;

/** What is done with items that other pages have left. */
export interface RecoveryHandler {
  /** Sends an item. Resolves when it no longer waits. */
  send: (key: ItemKey, item: Item) => Promise<void>;
  drop: (key: ItemKey, item: Item) => void;
  /** Number of searches and recoveries that are under way. */
  pending: number;
}

interface LaneRecovery {
  readonly store: ItemStore;
  readonly lane: Lane;
  readonly signal: AbortSignal;
  /** Characters to drop, so that the disk stays bounded. */
  excess: number;
  /** Pages follow one another, and so do their items: they are never in memory as a whole. */
  last: Promise<void>;
}

async function recoverItems(laneRecovery: LaneRecovery, owner: string, recovery: RecoveryHandler): Promise<void> {
  const keys = await laneRecovery.store.keys(laneRecovery.lane);
  for (const key of keys) {
    const [, , at, ownedBy, size] = key;
    if (ownedBy !== owner || (!navigator.locks && at > Date.now() - UNLOCKED_MS)) continue;
    // The item was complete before its page ended.
    if (size === OPEN_SIZE && keys.some((other) => other[2] === at && other[3] === ownedBy && other[4] !== size)) {
      laneRecovery.excess -= size;
      laneRecovery.store.write([], [key], () => undefined);
      continue;
    }
    const stored = await laneRecovery.store.read(key);
    if (laneRecovery.signal.aborted) return;
    if (!stored) continue;
    const item: Item = { ...stored, body: () => stored.text };
    if (laneRecovery.excess > 0 || at < Date.now() - LATE_MS) {
      laneRecovery.excess -= size;
      recovery.drop(key, item);
    } else await recovery.send(key, item);
  }
}

/**
 * Recovers items of pages other than `own`, page after page, until `signal` aborts. A live page is waited for: its
 * last batch may still grow, and the server stores a batch as it comes first.
 */
export async function recoverPages(store: ItemStore, limits: Record<Lane, number>, own: ReadonlySet<string>, signal: AbortSignal, recovery: RecoveryHandler): Promise<void> {
  const owners = new Set<string>();
  const lanes: LaneRecovery[] = [];
  for (const lane of Object.keys(limits) as Lane[]) {
    const laneRecovery: LaneRecovery = { store, lane, signal, excess: -limits[lane], last: Promise.resolve() };
    lanes.push(laneRecovery);
    for (const key of await store.keys(lane)) {
      laneRecovery.excess += key[4];
      if (!own.has(key[3])) owners.add(key[3]);
    }
  }
  const recoverPage = (owner: string): void => {
    recovery.pending++;
    for (const laneRecovery of lanes) laneRecovery.last = laneRecovery.last.then(() => recoverItems(laneRecovery, owner, recovery)).catch(() => undefined);
    void Promise.all(lanes.map(({ last }) => last)).then(() => recovery.pending--);
  };
  const held = await heldLocks();
  for (const owner of owners) {
    // A live page is waited for, but that does not count as pending work.
    const hasEnded = !held.has(owner);
    if (hasEnded) recovery.pending++;
    holdLock(owner, signal)
      .then(
        () => {
          recoverPage(owner);
        },
        () => undefined,
      )
      .finally(() => {
        if (hasEnded) recovery.pending--;
      });
  }
}
