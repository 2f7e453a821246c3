import type { Delivery, DeliveryOptions, Item, Lane } from './delivery-types';
import type { ItemKey } from './indexed-db';
import { createJournal, type JournalEntry, SENT_AT } from './journal';
import type { Json } from './json';
import type { RecoveryHandler } from './recovery';
import type { Requests } from './requests';
import { createTransport, type Outcome } from './transport';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** Characters that may wait in one page, and on disk for all pages together. The oldest items are dropped first. */
const LIMITS: Record<Lane, number> = { events: 5e6, recordings: 20e6, images: 4e6 };

interface LaneQueue {
  readonly lane: Lane;
  readonly entries: Set<JournalEntry>;
  busy: boolean;
  timer?: ReturnType<typeof setTimeout> | undefined;
  failures: number;
}

const createLaneQueue = (lane: Lane): LaneQueue => ({ lane, entries: new Set(), busy: false, failures: 0 });

/** Splits a batch into two halves, whose ids are the same whenever it is split. Returns none where there are fewer than two events. */
function halve({ parse, toJson }: Json, { path, sessionId }: Item, text: string): Item[] {
  const body = parse(text) as { batch_id: string; events?: unknown[] };
  const events = body.events ?? [];
  if (events.length < 2) return [];
  const middle = Math.ceil(events.length / 2);
  return [events.slice(0, middle), events.slice(middle)].map((half, index) => {
    const part = toJson({ ...body, batch_id: `${body.batch_id}.${index}`, events: half });
    return { path, sessionId, events: half.length, body: () => part };
  });
}

/**
 * Sends the items of each lane one at a time, in order, until the server acknowledges them. Items that wait longer
 * than half a second are also saved on disk under their ids: the next page sends them, and the server stores none
 * twice.
 */
export function createOutbox(
  { endpoint, project, debug, json, remask = (text) => text, ready, onStop }: DeliveryOptions,
  requests: Requests,
  random: () => number = Math.random,
): Delivery {
  const transport = createTransport(requests, (reason) => {
    debug(`not recorded: ${reason}`);
  });
  const queues: Record<Lane, LaneQueue> = { events: createLaneQueue('events'), recordings: createLaneQueue('recordings'), images: createLaneQueue('images') };
  /** In the order in which they are sent when the page goes. */
  const allQueues = [queues.events, queues.recordings, queues.images];
  const entryOf = new WeakMap<Item, JournalEntry>();
  let settledCallbacks: (() => void)[] = [];
  let stopped = false;
  let gate = ready;
  let isLeaving = false;
  let dropped = 0;

  const recovery: RecoveryHandler = {
    pending: 0,
    send: (key, item) =>
      new Promise((onRemoved) => {
        const queue = queues[key[1]];
        Object.assign(addEntry(queue, item, key), { saved: item.events, onRemoved });
        sendNext(queue);
      }),
    drop(key, item) {
      dropped += item.events;
      journal.remove({ key, item, saved: item.events, requests: 0 });
    },
  };
  const journal = createJournal(
    `${endpoint} ${project}`,
    function* () {
      for (const { entries } of allQueues) yield* entries;
    },
    LIMITS,
    recovery,
    remask,
  );

  const remove = (entry: JournalEntry, isReplaced?: boolean): void => {
    journal.remove(entry, isReplaced);
    entry.onRemoved?.();
  };
  const addEntry = (queue: LaneQueue, item: Item, key?: ItemKey): JournalEntry => {
    const text = item.open ? undefined : item.body(SENT_AT);
    const entry: JournalEntry = { item, key: key ?? journal.key(queue.lane, text), text, requests: 0 };
    let excess = entry.key[4] - LIMITS[queue.lane];
    for (const { key } of queue.entries) excess += key[4];
    for (const old of queue.entries) {
      if (excess <= 0) break;
      if (old.requests > 0 || old.item.open) continue;
      excess -= old.key[4];
      dropped += old.item.events;
      queue.entries.delete(old);
      remove(old);
    }
    queue.entries.add(entry);
    return entry;
  };

  const notifySettled = (): void => {
    for (const { busy, timer, entries } of allQueues) {
      if (busy) return;
      if (timer === undefined) for (const { item } of entries) if (!item.open) return;
    }
    const resolved = settledCallbacks;
    if (resolved.length === 0) return;
    settledCallbacks = [];
    // Whoever waits for `settled` may close the page: what the server has stored must not stay on disk.
    journal.save();
    for (const resolve of resolved) resolve();
  };
  const retry = (queue: LaneQueue, after: number): void => {
    // Half of it is random, so that many pages do not retry at the same moment.
    const backoff = Math.min(FIRST_RETRY_MS * 2 ** queue.failures++, LAST_RETRY_MS) * (0.5 + random() / 2);
    queue.timer = setTimeout(() => {
      queue.timer = undefined;
      sendNext(queue);
    }, Math.max(after, backoff));
  };
  const stop = (): void => {
    stopped = true;
    journal.leave();
    for (const { entries } of allQueues) {
      // What is on disk stays there: the key may be valid again on the next visit.
      for (const { item, saved } of entries) if (saved === undefined) dropped += item.events;
      entries.clear();
    }
    onStop();
  };
  const applyOutcome = (queue: LaneQueue, entry: JournalEntry, outcome: Outcome): void => {
    const { item, text = '' } = entry;
    entry.requests--;
    // It may have been sent twice, and the other response came first.
    if (!queue.entries.has(entry)) return;
    if (typeof outcome === 'number') {
      // Its other request may still succeed; and several requests that fail together count as one failure.
      if (entry.requests === 0 && queue.timer === undefined) retry(queue, outcome);
      return;
    }
    queue.failures = 0;
    if (outcome === 'stop') {
      stop();
      return;
    }
    queue.entries.delete(entry);
    const halves = outcome === 'split' ? halve(json, item, text) : [];
    if (outcome === 'ok') item.onStored?.();
    else if (halves.length === 0) dropped += item.events;
    for (const half of halves) addEntry(queue, half);
    remove(entry, halves.length > 0);
  };
  const bodyOf = ({ text = '' }: JournalEntry): string => remask(text).replace(SENT_AT, new Date().toISOString());
  const trackRequest = async (queue: LaneQueue, entry: JournalEntry, request: Promise<Outcome>): Promise<void> => {
    entry.requests++;
    applyOutcome(queue, entry, await request);
  };
  function sendNext(queue: LaneQueue): void {
    if (gate || queue.busy || queue.timer !== undefined || isLeaving) return;
    for (const entry of queue.entries) {
      if (entry.item.open || entry.requests > 0) continue;
      queue.busy = true;
      void trackRequest(queue, entry, transport.send(entry.item.path, bodyOf(entry))).finally(() => {
        queue.busy = false;
        sendNext(queue);
        notifySettled();
      });
      return;
    }
  }

  void ready?.then(() => {
    gate = undefined;
    for (const queue of allQueues) {
      // This page's items are saved again, since they may have to be masked by the rules.
      for (const entry of queue.entries) if (entry.saved && !entry.onRemoved) entry.saved = -1;
      sendNext(queue);
    }
    journal.saveSoon();
  });
  // An earlier page may have left items.
  journal.begin();
  return {
    add(lane, item) {
      if (stopped) {
        if (!item.open) dropped += item.events;
        return;
      }
      journal.begin();
      const queue = queues[lane];
      let entry = entryOf.get(item);
      if (!entry) entryOf.set(item, (entry = addEntry(queue, item)));
      if (!item.open) {
        if (entry.text === undefined) journal.complete(entry, item.body(SENT_AT));
        sendNext(queue);
      }
      journal.saveSoon();
    },
    leave(finish) {
      // No ordinary request may start now: the item would be sent twice.
      isLeaving = true;
      finish?.();
      isLeaving = false;
      journal.leave();
      for (const queue of allQueues) {
        for (const entry of queue.entries) {
          // Both "hidden" and "pagehide" fire when a page goes. An ordinary request dies with the page, so its item is sent again.
          if (entry.item.open || (entry.wasSentLast && entry.requests > 0)) continue;
          const request = transport.sendLast(entry.item.path, bodyOf(entry));
          if (!request) continue;
          entry.wasSentLast = true;
          void trackRequest(queue, entry, request).finally(() => {
            sendNext(queue);
            notifySettled();
          });
        }
        sendNext(queue);
      }
    },
    settled() {
      return new Promise((resolve) => {
        settledCallbacks.push(resolve);
        notifySettled();
      });
    },
    async clear(onlyOwn) {
      for (const queue of allQueues) {
        for (const entry of queue.entries) {
          // The recovery waits for items of other pages.
          if (onlyOwn && entry.onRemoved) continue;
          queue.entries.delete(entry);
          remove(entry);
        }
        if (onlyOwn) continue;
        clearTimeout(queue.timer);
        queue.timer = undefined;
        queue.failures = 0;
      }
      notifySettled();
      if (!onlyOwn) await journal.clear();
    },
    get dropped() {
      return dropped;
    },
  };
}
