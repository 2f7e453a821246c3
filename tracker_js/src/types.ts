import type { Options } from './api.js';
import type { Item } from './delivery';
import type { Json } from './json';
import type { Memory } from './memory';

export type { Options, Tracker } from './api.js';

/** One event as the server takes it (`POST /api/v1/track`); what an observer leaves out is left out on the wire. */
export interface TrackEvent {
  timestamp: string;
  event_type: string;
  page_url: string;
  target_element?: string;
  target_selector?: string;
  target_tag?: string;
  target_id?: string;
  target_class?: string;
  viewport_x?: number;
  viewport_y?: number;
  screen_x?: number;
  screen_y?: number;
  scroll_x?: number;
  scroll_y?: number;
  input_value?: string;
  input_masked?: boolean;
  key_pressed?: string;
  mouse_button?: number;
  click_count?: number;
  event_data?: unknown;
}

/** What an observer knows; `timestamp` and `page_url` are added unless it caught them earlier. */
export type EventFields = Partial<Omit<TrackEvent, 'event_type'>>;

export type Teardown = () => void;

/** What may never be told. See mask.ts. */
export interface Secrets {
  /** A field whose value is a secret, and anything inside `[data-private]` or an editor. */
  isSecret: (element: Element) => boolean;
  /** The text without e-mail addresses, card numbers, values of secret parameters, and what stands in a secret field right now. */
  scrub: (text: string) => string;
  /** The same for a URL; what stands in a field is looked for behind its path only. */
  url: (url: string) => string;
}

/** All that an observer may touch: it emits, it asks what is secret, and it may finish its work before the page goes. */
export interface Context {
  /** `target` is described (`target_*`) when the event is written. */
  emit: (type: string, fields?: EventFields, target?: EventTarget | null) => void;
  secrets: Secrets;
  /** Runs `finish` before the last batch of a page that is hidden, or left (`isGoing`): debounced work is told then. */
  beforeLeave: (finish: (isGoing: boolean) => void) => Teardown;
}

export type Observer = (context: Context) => Teardown;

/** Which fields and parameters a project has masked beside what looks like a secret (`GET /api/v1/config`). */
export interface Masking {
  /** `all`: no typed value is told at all. */
  inputs: 'secrets' | 'all';
  /** Words in a field's name, id or class that make it a secret one. */
  fields: string[];
  /** Names of query parameters whose values are masked. */
  parameters: string[];
  /** Fields' names or ids, and names of parameters, that are told although they look like secrets. */
  allow: string[];
}

/** How the project wants its pages recorded (`GET /api/v1/config`). */
export interface Config {
  project_id: number;
  /** The share of sessions that is recorded. */
  sampling_rate: number;
  /** Whether pages are recorded (rrweb) without being told to. */
  record: boolean;
  masking: Masking;
  honour_gpc: boolean;
  honour_dnt: boolean;
}

/** Options with their defaults filled in. */
export interface Settings extends Options {
  project: string;
  /** Without a slash at its end. */
  endpoint: string;
  debug: boolean;
  screenshots: boolean;
  screenshotEngine: 'modern-screenshot' | 'html2canvas';
  recordSample: number;
  recordMinSeconds: number;
  recordErrorsOnly: boolean;
  recordCanvas: boolean;
  recordCrossOriginIframes: boolean;
  inlineImages: boolean;
  maskText: string;
  block: string;
  console: 'error' | 'all' | false;
  network: boolean;
  vitals: boolean;
}

/** The parts that are loaded on demand: `src/<name>.lazy.ts`. */
export type PartName = 'behaviour' | 'recorder' | 'canvas' | 'screenshot' | 'html2canvas' | 'sampling' | 'outbox' | 'policy';

/** Loads a part; rejects where it cannot be had. */
export type LoadPart = (name: PartName) => Promise<unknown>;

/** What the core shares with the parts. They run only while the visitor lets them and the session is one that is recorded. */
export interface PartContext extends Context {
  readonly options: Settings;
  readonly config: Config;
  /** What the browser keeps for the project. */
  readonly memory: Memory;
  /** Something of the page has failed in this session, maybe before the part was there. */
  readonly hasFailed: boolean;
  readonly session: {
    readonly id: string;
    /** The session's id now; see session.ts. */
    touch: (activity: boolean) => string;
    /** The visitor came back after a long pause, or the old session has become too old. */
    onRenew: (callback: (id: string) => void) => Teardown;
  };
  /** The `target_*` of an event. */
  describe: (target: EventTarget | null) => EventFields;
  selectorOf: (element: Element) => string | undefined;
  /** Runs `cut` before what waits is sent, also when the page asks for that: what a part gathers by itself is handed over then. */
  beforeFlush: (cut: () => void) => Teardown;
  /** Hands something to the lanes of delivery; its body is made anew for each attempt. */
  send: (lane: 'recordings' | 'images', item: Item) => void;
  /** The page, or the path within it (single-page apps), is another one now. Not called for the page that was loaded. */
  onNavigate: (callback: (samePath: boolean) => void) => Teardown;
  /** True for requests of our own: what wraps `fetch` leaves them alone. */
  isOwn: (url: string) => boolean;
  /** Another part of the tracker. */
  load: LoadPart;
  /** The browser's own, as it was at the start: what the page or we wrap around it later does not see our requests. */
  fetch: typeof globalThis.fetch;
  /** As the browser had it at the start. */
  readonly json: Json;
  /** Says it in the console, only with the option `debug`. */
  debug: (...said: unknown[]) => void;
}

/**
 * What a `*.lazy.ts` exports that observes. `asked`: the page itself called for it (`startRecording()`), so no sampling
 * applies; then it may be started a second time while it runs, which only tells it so.
 */
export interface Part {
  start: (context: PartContext, asked?: boolean) => Teardown;
}

/** `screenshot.lazy.ts`: `start` takes one of each page, `take` one of now; `take` also works where it was not started. */
export interface ScreenshotPart extends Part {
  take: (context: PartContext) => Promise<void>;
}
