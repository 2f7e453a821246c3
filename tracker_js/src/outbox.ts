import type { Outcome, Transport } from './transport';

/** Something to be sent until the server has it. Its identity is inside its body, so that sending it twice stores it once. */
export interface Item {
  path: string;
  /** Made anew for each attempt: `sent_at` is the time of the attempt. */
  body: (sentAt: string) => string;
  /** Events in it, for the count of what was given up. */
  events: number;
  /** Two halves with identities of their own. Only for what no server can have stored yet. */
  split?: () => [Item, Item];
  onStored?: () => void;
}

export interface Outbox {
  add: (item: Item) => void;
  /** The page may be going: all that is not acknowledged, and what `finish` adds, goes now, as far as there is room. */
  leave: (finish?: () => void) => void;
  /** Resolves when nothing is left to do now. */
  settled: () => Promise<void>;
  readonly dropped: number;
}

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** Halving further is not worth a request. */
const MIN_SPLIT_BYTES = 8_192;

interface Entry extends Item {
  tries: number;
  flights: number;
}

/**
 * One request at a time, in order, until it is acknowledged; the oldest are given up when more than `max` wait.
 * `onStop` is called once, when the server refuses the key or the origin: then nothing is sent any more.
 */
export function createOutbox(transport: Transport, max: number, onStop: () => void, random: () => number = Math.random): Outbox {
  let entries: Entry[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let busy = false;
  let stopped = false;
  let isLeaving = false;
  let failures = 0;
  let dropped = 0;
  let waiters: (() => void)[] = [];

  const enter = (item: Item): Entry => ({ ...item, tries: 0, flights: 0 });
  const replace = (entry: Entry, ...others: Entry[]): void => {
    entries = entries.flatMap((one) => (one === entry ? others : [one]));
  };
  const notify = (): void => {
    if (busy || (entries.length > 0 && timer === undefined)) return;
    const resolved = waiters;
    waiters = [];
    for (const resolve of resolved) resolve();
  };

  const settle = (entry: Entry, outcome: Outcome): void => {
    entry.flights--;
    // It may have been in flight twice, and the other answer came first.
    if (!entries.includes(entry)) return;
    switch (outcome.kind) {
      case 'ok':
        failures = 0;
        replace(entry);
        entry.onStored?.();
        break;
      case 'split': {
        const halves = entry.split?.();
        if (!halves) dropped += entry.events;
        replace(entry, ...(halves ?? []).map(enter));
        break;
      }
      case 'drop':
        dropped += entry.events;
        replace(entry);
        break;
      case 'stop':
        stopped = true;
        dropped += entries.reduce((sum, one) => sum + one.events, 0);
        entries = [];
        onStop();
        break;
      case 'retry': {
        // Its other attempt may still succeed; and several that failed together are one failure.
        if (entry.flights > 0 || timer !== undefined) break;
        // Half of it by chance, so that a crowd does not come back at the same moment.
        const backoff = Math.min(FIRST_RETRY_MS * 2 ** failures++, LAST_RETRY_MS) * (0.5 + random() / 2);
        timer = setTimeout(() => {
          timer = undefined;
          pump();
        }, Math.max(outcome.after ?? 0, backoff));
      }
    }
  };

  const fly = (entry: Entry, flight: Promise<Outcome>): Promise<void> => {
    entry.tries++;
    entry.flights++;
    return flight.then((outcome) => {
      settle(entry, outcome);
    });
  };
  const body = (entry: Entry): string => entry.body(new Date().toISOString());

  function pump(): void {
    const next = entries.find((entry) => entry.flights === 0);
    if (busy || timer !== undefined || isLeaving || !next) {
      notify();
      return;
    }
    busy = true;
    void fly(next, transport.send(next.path, body(next))).finally(() => {
      busy = false;
      pump();
    });
  }

  const sendLast = (entry: Entry): void => {
    const text = body(entry);
    const flight = transport.sendLast(entry.path, text);
    if (flight) {
      void fly(entry, flight).finally(pump);
      return;
    }
    // No room for all of it. A part may go, but only of a batch that was never sent: another may be stored already.
    if (entry.tries > 0 || text.length < MIN_SPLIT_BYTES || transport.room() < MIN_SPLIT_BYTES / 2) return;
    const halves = entry.split?.().map(enter) ?? [];
    if (halves.length === 0) return;
    replace(entry, ...halves);
    halves.forEach(sendLast);
  };

  const leaving = new WeakSet<Entry>();
  return {
    add(item) {
      if (stopped) {
        dropped += item.events;
        return;
      }
      const oldest = entries.length >= max ? entries.find((entry) => entry.flights === 0) : undefined;
      if (oldest) {
        dropped += oldest.events;
        replace(oldest);
      }
      entries.push(enter(item));
      pump();
    },
    leave(finish) {
      // Nothing may start as an ordinary request now: it would be sent twice.
      isLeaving = true;
      finish?.();
      isLeaving = false;
      for (const entry of [...entries]) {
        // "hidden" and "pagehide" both come when a page goes; an ordinary request dies with it, so it is sent again.
        if (entry.flights > 0 && leaving.has(entry)) continue;
        leaving.add(entry);
        sendLast(entry);
      }
      pump();
    },
    settled() {
      return new Promise((resolve) => {
        waiters.push(resolve);
        notify();
      });
    },
    get dropped() {
      return dropped;
    },
  };
}
