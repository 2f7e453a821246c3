import type { Delivery, DeliveryOptions, Item, Lane } from './delivery-types';
import type { ItemKey } from './indexed-db';
import { createJournal, type JournalEntry, SENT_AT } from './journal';
import type { Json } from './json';
import type { RecoveryHandler } from './recovery';
import type { Requests } from './requests';
import { createTransport, type Outcome } from './transport';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** Characters that may wait, in a page and on disk; the oldest are given up. */
const LIMITS: Record<Lane, number> = { events: 5e6, recordings: 20e6, images: 4e6 };

interface Line {
  readonly lane: Lane;
  readonly entries: Set<JournalEntry>;
  busy: boolean;
  timer?: ReturnType<typeof setTimeout> | undefined;
  failures: number;
}

const createLine = (lane: Lane): Line => ({ lane, entries: new Set(), busy: false, failures: 0 });

/** Two halves of a batch, under the same names whenever it is halved; none of what is no batch of several. */
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
 * A lane sends one item at a time, in order, until the server has it. What waits longer than half a second is also on
 * disk, under its name: the next page goes on with it, and what was stored already is not stored again.
 */
export function createOutbox(
  { endpoint, project, debug, json, remask = (text) => text, ready, onStop }: DeliveryOptions,
  requests: Requests,
  random: () => number = Math.random,
): Delivery {
  const transport = createTransport(requests, (reason) => {
    debug(`not recorded: ${reason}`);
  });
  const lines: Record<Lane, Line> = { events: createLine('events'), recordings: createLine('recordings'), images: createLine('images') };
  /** In the order in which they leave with the page. */
  const all = [lines.events, lines.recordings, lines.images];
  const entryOf = new WeakMap<Item, JournalEntry>();
  let waiters: (() => void)[] = [];
  let stopped = false;
  let held = ready;
  let isLeaving = false;
  let dropped = 0;

  const recovery: RecoveryHandler = {
    taking: 0,
    send: (key, item) =>
      new Promise((onGone) => {
        const line = lines[key[1]];
        Object.assign(enter(line, item, key), { saved: item.events, onGone });
        pump(line);
      }),
    giveUp(key, item) {
      dropped += item.events;
      journal.forget({ key, item, saved: item.events, flights: 0 });
    },
  };
  const journal = createJournal(
    `${endpoint} ${project}`,
    function* () {
      for (const { entries } of all) yield* entries;
    },
    LIMITS,
    recovery,
    remask,
  );

  const done = (entry: JournalEntry, isReplaced?: boolean): void => {
    journal.forget(entry, isReplaced);
    entry.onGone?.();
  };
  const enter = (line: Line, item: Item, key?: ItemKey): JournalEntry => {
    const text = item.open ? undefined : item.body(SENT_AT);
    const entry: JournalEntry = { item, key: key ?? journal.key(line.lane, text), text, flights: 0 };
    let excess = entry.key[4] - LIMITS[line.lane];
    for (const { key } of line.entries) excess += key[4];
    for (const old of line.entries) {
      if (excess <= 0) break;
      if (old.flights > 0 || old.item.open) continue;
      excess -= old.key[4];
      dropped += old.item.events;
      line.entries.delete(old);
      done(old);
    }
    line.entries.add(entry);
    return entry;
  };

  const notify = (): void => {
    for (const { busy, timer, entries } of all) {
      if (busy) return;
      if (timer === undefined) for (const { item } of entries) if (!item.open) return;
    }
    const resolved = waiters;
    if (resolved.length === 0) return;
    waiters = [];
    // Whoever waits for us may close the page: what is stored must not be sent once more by the next one.
    journal.save();
    for (const resolve of resolved) resolve();
  };
  const retry = (line: Line, after: number): void => {
    // Half of it by chance, so that a crowd does not come back at the same moment.
    const backoff = Math.min(FIRST_RETRY_MS * 2 ** line.failures++, LAST_RETRY_MS) * (0.5 + random() / 2);
    line.timer = setTimeout(() => {
      line.timer = undefined;
      pump(line);
    }, Math.max(after, backoff));
  };
  const stop = (): void => {
    stopped = true;
    journal.leave();
    for (const { entries } of all) {
      // What is on disk stays there: the next visit may find the key in force again.
      for (const { item, saved } of entries) if (saved === undefined) dropped += item.events;
      entries.clear();
    }
    onStop();
  };
  const settle = (line: Line, entry: JournalEntry, outcome: Outcome): void => {
    const { item, text = '' } = entry;
    entry.flights--;
    // It may have been in flight twice, and the other answer came first.
    if (!line.entries.has(entry)) return;
    if (typeof outcome === 'number') {
      // Its other attempt may still succeed; and several that failed together are one failure.
      if (entry.flights === 0 && line.timer === undefined) retry(line, outcome);
      return;
    }
    line.failures = 0;
    if (outcome === 'stop') {
      stop();
      return;
    }
    line.entries.delete(entry);
    const halves = outcome === 'split' ? halve(json, item, text) : [];
    if (outcome === 'ok') item.onStored?.();
    else if (halves.length === 0) dropped += item.events;
    for (const half of halves) enter(line, half);
    done(entry, halves.length > 0);
  };
  const bodyOf = ({ text = '' }: JournalEntry): string => remask(text).replace(SENT_AT, new Date().toISOString());
  const fly = async (line: Line, entry: JournalEntry, flight: Promise<Outcome>): Promise<void> => {
    entry.flights++;
    settle(line, entry, await flight);
  };
  function pump(line: Line): void {
    if (held || line.busy || line.timer !== undefined || isLeaving) return;
    for (const entry of line.entries) {
      if (entry.item.open || entry.flights > 0) continue;
      line.busy = true;
      void fly(line, entry, transport.send(entry.item.path, bodyOf(entry))).finally(() => {
        line.busy = false;
        pump(line);
        notify();
      });
      return;
    }
  }

  void ready?.then(() => {
    held = undefined;
    for (const line of all) {
      // What of this page is on disk is written once more.
      for (const entry of line.entries) if (entry.saved && !entry.onGone) entry.saved = -1;
      pump(line);
    }
    journal.saveSoon();
  });
  // There may be something that an earlier page has left.
  journal.begin();
  return {
    add(lane, item) {
      if (stopped) {
        if (!item.open) dropped += item.events;
        return;
      }
      journal.begin();
      const line = lines[lane];
      let entry = entryOf.get(item);
      if (!entry) entryOf.set(item, (entry = enter(line, item)));
      if (!item.open) {
        if (entry.text === undefined) journal.complete(entry, item.body(SENT_AT));
        pump(line);
      }
      journal.saveSoon();
    },
    leave(finish) {
      // Nothing may start as an ordinary request now: it would be sent twice.
      isLeaving = true;
      finish?.();
      isLeaving = false;
      journal.leave();
      for (const line of all) {
        for (const entry of line.entries) {
          // "hidden" and "pagehide" both come when a page goes; an ordinary request dies with it, so it is sent again.
          if (entry.item.open || (entry.left && entry.flights > 0)) continue;
          const flight = transport.sendLast(entry.item.path, bodyOf(entry));
          if (!flight) continue;
          entry.left = true;
          void fly(line, entry, flight).finally(() => {
            pump(line);
            notify();
          });
        }
        pump(line);
      }
    },
    settled() {
      return new Promise((resolve) => {
        waiters.push(resolve);
        notify();
      });
    },
    async clear(onlyOwn) {
      for (const line of all) {
        for (const entry of line.entries) {
          // Somebody waits for what another page has left.
          if (onlyOwn && entry.onGone) continue;
          line.entries.delete(entry);
          done(entry);
        }
        if (onlyOwn) continue;
        clearTimeout(line.timer);
        line.timer = undefined;
        line.failures = 0;
      }
      notify();
      if (!onlyOwn) await journal.clear();
    },
    get dropped() {
      return dropped;
    },
  };
}
