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

/** Which fields may never be told. See mask.ts. */
export interface Secrets {
  isSecret: (element: Element) => boolean;
  /** The text without anything that stands in a secret field right now. */
  scrub: (text: string) => string;
}

/** All that an observer may touch: it emits, it asks what is secret, and it may finish its work before the page goes. */
export interface Context {
  emit: (type: string, fields?: EventFields) => void;
  secrets: Secrets;
  /** Runs `finish` before the last batch of a page that is hidden or left: debounced work is told then. */
  beforeLeave: (finish: () => void) => Teardown;
}

export type Observer = (context: Context) => Teardown;

export interface Options {
  /** Public write key of the project; empty for a server in open mode. */
  project?: string;
  /** Where the server is; by default where the script came from. */
  endpoint?: string;
  /** A screenshot of each page (default true). */
  screenshots?: boolean;
}

export interface Tracker {
  /** Starts recording. Done by the tag itself unless it says `data-auto="false"`. A second call changes nothing. */
  init: (options?: Options) => void;
  /** Tells an event of the site's own: stored as `custom`, with `{name, data}`. */
  track: (name: string, data?: unknown) => void;
  /** Ties this session, and the next ones of this browser, to a user of the site. */
  identify: (userId: string) => void;
  /** Sends what waits; resolves when it is stored, or when the next retry has been scheduled. */
  flush: () => Promise<void>;
  /** Takes a screenshot of the page as it is now. */
  screenshot: () => Promise<void>;
  /** Takes all observers away and sends the rest. */
  stop: () => Promise<void>;
  readonly sessionId: string;
  /** Events that were given up: refused by the server, or pushed out of a full memory. */
  readonly dropped: number;
}
