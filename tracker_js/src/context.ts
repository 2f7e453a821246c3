import type { Config } from './config';
import type { Item } from './delivery-types';
import type { EventFields } from './event';
import type { Teardown } from './guard';
import type { Json } from './json';
import type { ProjectStorage } from './local-storage';
import type { Secrets } from './mask';
import type { ResolvedOptions } from './options';

/** What every observer gets from the core. */
export interface Context {
  /** Reports an event. `target` is described (`target_*`) when the event is serialized. */
  emit: (type: string, fields?: EventFields, target?: EventTarget | null) => void;
  secrets: Secrets;
  /** Runs `finish` before the last batch of a page that is hidden, or left (`isGoing`): debounced events are emitted then. */
  beforeLeave: (finish: (isGoing: boolean) => void) => Teardown;
}

export type Observer = (context: Context) => Teardown;

/** The parts that are loaded on demand: `src/<name>.lazy.ts`. */
export type PartName = 'behaviour' | 'recorder' | 'canvas' | 'screenshot' | 'html2canvas' | 'sampling' | 'outbox' | 'policy';

/** Loads a part. Rejects where the file cannot be loaded. */
export type LoadPart = (name: PartName) => Promise<unknown>;

/** What the core shares with the parts. They run only while the core is in the state `Tracking` (states.ts). */
export interface PartContext extends Context {
  readonly options: ResolvedOptions;
  readonly config: Config;
  /** The project's values in localStorage. */
  readonly storage: ProjectStorage;
  /** The page has had an error in this session, perhaps before the part was loaded. */
  readonly hasFailed: boolean;
  readonly session: {
    readonly id: string;
    /** Returns the id of the current session; see session.ts. */
    touch: (activity: boolean) => string;
    /** Calls back when a new session begins: after a long pause, a day, or a change of user. */
    onRenew: (callback: (id: string) => void) => Teardown;
  };
  /** The `target_*` fields of an element. */
  describe: (target: EventTarget | null) => EventFields;
  selectorOf: (element: Element) => string | undefined;
  /** Runs `closeBatch` before waiting batches are sent, also on `flush()`: the part hands over what it has gathered. */
  beforeFlush: (closeBatch: () => void) => Teardown;
  /** Hands an item to a lane of the delivery. Its body is built anew for each attempt. */
  send: (lane: 'recordings' | 'images', item: Item) => void;
  /** Calls back when the URL changes within a single-page app, with whether the page is still the same. Not for the page that was loaded. */
  onNavigate: (callback: (samePage: boolean) => void) => Teardown;
  /** True for requests of the tracker itself, which the observer of `fetch` ignores. */
  isOwn: (url: string) => boolean;
  /** Loads another part. */
  load: LoadPart;
  /** `fetch` as it was when the tracker started: neither the page's wrappers nor ours see the tracker's requests. */
  fetch: typeof globalThis.fetch;
  /** `JSON` as it was when the tracker started. */
  readonly json: Json;
  /** Writes to the console when the option `debug` is on. */
  debug: (...messages: unknown[]) => void;
}

/**
 * What a `*.lazy.ts` that observes exports. `isRequested`: the page called `startRecording()`, so no sampling of
 * recordings applies. A running part can be started once more with `isRequested`, which only lifts its sampling.
 */
export interface Part {
  start: (context: PartContext, isRequested?: boolean) => Teardown;
}

/** `screenshot.lazy.ts`: `start` takes one screenshot of each page; `take` takes one now, also where `start` was not called. */
export interface ScreenshotPart extends Part {
  take: (context: PartContext) => Promise<void>;
}
