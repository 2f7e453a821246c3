import type { Json } from './json';

/** Each lane sends one item at a time, independently of the other lanes. */
export type Lane = 'events' | 'recordings' | 'images';

/** One request body that is sent until the server acknowledges it. The body carries its own id, so the server stores it once. */
export interface Item {
  path: string;
  /** `sentAt` is the time of the attempt. It stands before anything that the page can influence. */
  body: (sentAt: string) => string;
  /** Number of events in the body, for `dropped`. */
  events: number;
  sessionId: string;
  /** The item is still being filled: it is saved on disk but not sent. New content is only appended. */
  open?: boolean;
  onStored?: () => void;
}

/** Sends items. Implemented twice: `delivery.ts` until the part `outbox` is loaded, `outbox.lazy.ts` from then on. */
export interface Delivery {
  /** Adds an item. Called again when an open item has grown or is complete. */
  add: (lane: Lane, item: Item) => void;
  /** The page may be going: sends what waits, and what `finish` adds, as far as keepalive requests have room. The rest stays on disk. */
  leave: (finish?: () => void) => void;
  /** Resolves when everything is stored or waits for its next attempt. */
  settled: () => Promise<void>;
  /** Removes all unsent items, also those on disk; with `onlyOwn`, only those of this page. Rejects where the outbox cannot be loaded. */
  clear: (onlyOwn?: boolean) => Promise<void>;
  /** Number of events that were dropped. */
  readonly dropped: number;
}

export interface DeliveryOptions {
  endpoint: string;
  project: string;
  /** `fetch` as it was at the start, so that wrappers of the page do not see the tracker's requests. */
  fetch: typeof globalThis.fetch;
  debug: (...messages: unknown[]) => void;
  json: Json;
  /** Masks in a body what became a secret after it was written. */
  remask?: (text: string) => string;
  /** Until it resolves, items are saved on disk but sent only when the page is left. */
  ready?: Promise<void>;
  /** Called once, when the server refuses the key or the origin. Nothing is sent afterwards. */
  onStop: () => void;
}
