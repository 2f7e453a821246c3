import type { Json } from './json';
import type { createOutbox } from './outbox.lazy';
import { createRequests } from './requests';
import type { LoadPart } from './types';

export type Lane = 'events' | 'recordings' | 'images';

/** Something to be sent until the server has it. Its identity is inside its body, so that sending it twice stores it once. */
export interface Item {
  path: string;
  /** `sentAt` is the time of the attempt; it stands before anything that a page can say. */
  body: (sentAt: string) => string;
  /** Events in it, for the count of what was given up. */
  events: number;
  sessionId: string;
  /** Still being filled: written ahead, but not sent. What comes to it comes behind what is there. */
  open?: boolean;
  onStored?: () => void;
}

export interface Delivery {
  /** Takes an item; once more when an open one has grown, or is complete. */
  add: (lane: Lane, item: Item) => void;
  /** The page may be going: what waits, and what `finish` adds, goes now as far as there is room. The rest stays on disk. */
  leave: (finish?: () => void) => void;
  /** Resolves when nothing is left to do now: all is stored, or waits for its next attempt. */
  settled: () => Promise<void>;
  /** Forgets all that waits, also what is on disk; or only what this page has added. Rejects where that cannot be done now. */
  clear: (onlyOwn?: boolean) => Promise<void>;
  /** Events that were given up. */
  readonly dropped: number;
}

export interface DeliveryOptions {
  endpoint: string;
  project: string;
  /** The browser's, as it was at the start: what a page puts in its place would see our requests as its own. */
  fetch: typeof globalThis.fetch;
  debug: (...said: unknown[]) => void;
  json: Json;
  /** What masks in a body, at last, what has turned out to be a secret since it was written. */
  seal?: (text: string) => string;
  /** Nothing is sent before, unless the page is left; it is written down. */
  ready?: Promise<void>;
  /** Called once, when the server refuses the key or the origin: then nothing is sent any more. */
  onStop: () => void;
}

/** While the outbox cannot be had; the oldest are given up. */
const MAX_WAITING = 100;

/** Keeps what it is given until the outbox is there, which does the work; a page that is left before sends what it can. */
export function createDelivery(options: DeliveryOptions, load: LoadPart): Delivery {
  const requests = createRequests(options);
  const waiting = new Map<Item, Lane>();
  let dropped = 0;
  let outbox: Delivery | undefined;
  let loading: Promise<void> | undefined;
  const begin = (): Promise<void> =>
    (loading ??= load('outbox').then(
      (part) => {
        outbox = (part as { createOutbox: typeof createOutbox }).createOutbox(options, requests);
        for (const [item, lane] of waiting) outbox.add(lane, item);
        waiting.clear();
      },
      (error: unknown) => {
        options.debug('no outbox:', error);
        loading = undefined;
      },
    ));
  void begin();
  return {
    add(lane, item) {
      if (outbox) {
        outbox.add(lane, item);
        return;
      }
      waiting.set(item, lane);
      if (!item.open) void begin();
      for (const old of waiting.keys()) {
        if (waiting.size <= MAX_WAITING) break;
        waiting.delete(old);
        dropped += old.events;
      }
    },
    leave(finish) {
      if (outbox) {
        outbox.leave(finish);
        return;
      }
      finish?.();
      for (const item of waiting.keys()) requests.postLast(item.path, item.body(new Date().toISOString()))?.catch(() => undefined);
    },
    async settled() {
      await begin();
      await outbox?.settled();
    },
    async clear(onlyOwn) {
      waiting.clear();
      if (!outbox) await begin();
      // Rejects where there is none.
      await (outbox as unknown as Delivery).clear(onlyOwn);
    },
    get dropped() {
      return dropped + (outbox?.dropped ?? 0);
    },
  };
}
