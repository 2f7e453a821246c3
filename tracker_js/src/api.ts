/** Options of `init({…})` and of the tag's `data-*` attributes: `recordSample` is `data-record-sample`. */
export interface Options {
  /** Public write key of the project; empty for a server in open mode. */
  project?: string | undefined;
  /** Address of the server. By default the script's origin and path; in the npm package, the page's origin. */
  endpoint?: string | undefined;
  /** `false`: nothing starts before `init()` (the tag only). */
  auto?: boolean | undefined;
  /** Writes to the console what the tracker does, and why it does not record. */
  debug?: boolean | undefined;
  /** `required`: nothing is stored or sent before `optIn()`. */
  consent?: 'required' | undefined;
  /** Whether "Do Not Track" is honoured; by default as the project sets it. */
  respectDnt?: boolean | undefined;
  /** A screenshot of each page (default true). */
  screenshots?: boolean | undefined;
  screenshotEngine?: 'modern-screenshot' | 'html2canvas' | undefined;
  /** Whether pages are recorded (rrweb); by default as the project sets it. */
  record?: boolean | undefined;
  /** The share of sessions that are recorded, 0 to 1. */
  recordSample?: number | undefined;
  /** Sessions that are shorter are not recorded. */
  recordMinSeconds?: number | undefined;
  /** Only sessions with an error are recorded, from a minute before it. */
  recordErrorsOnly?: boolean | undefined;
  recordCanvas?: boolean | undefined;
  recordCrossOriginIframes?: boolean | undefined;
  /** Images and fonts are stored within the recording (default true). */
  inlineImages?: boolean | undefined;
  /** Selector of elements whose text is masked in recordings and screenshots. */
  maskText?: string | undefined;
  /** Selector of elements that are blank in recordings and screenshots. */
  block?: string | undefined;
  /** Which calls of `console` are reported (default "error"). */
  console?: 'error' | 'all' | false | undefined;
  /** Whether failed requests of the page are reported (default true). */
  network?: boolean | undefined;
  /** What counts as another page of a single-page app: another `path`, or another `url` (default `path`). */
  pageViews?: 'path' | 'url' | undefined;
  /** Whether web vitals are reported (default true). */
  vitals?: boolean | undefined;
}

/** No method throws, whatever its arguments. */
export interface Tracker {
  /** Starts tracking. The tag calls it itself unless it has `data-auto="false"`. A second call changes nothing. */
  init: (options?: Options) => void;
  /** Sends an event of the site's own, stored as `custom` with `{name, data}`. */
  track: (name: string, data?: unknown) => void;
  /** Assigns this session and the next ones of this browser to a user of the site. `traits` are merged into the session's metadata. */
  identify: (userId: string | number, traits?: Record<string, unknown>) => void;
  /** Records the page (rrweb) from now on, whatever the options and the sampling of recordings. */
  startRecording: () => void;
  stopRecording: () => void;
  /** Takes a screenshot of the page now. */
  screenshot: () => Promise<void>;
  /** The visitor gives consent: tracking starts, also after `optOut()`. */
  optIn: () => void;
  /** The visitor opts out: tracking stops, everything stored in the browser is removed, and only the opt-out is kept. */
  optOut: () => Promise<void>;
  /** Forgets the user and begins a new session, for example after a logout. */
  reset: () => void;
  /** Sends what waits. Resolves when it is stored, or when the next retry is scheduled. */
  flush: () => Promise<void>;
  /** Removes all observers and sends the rest. */
  stop: () => Promise<void>;
  /** A UUID; empty while nothing is tracked. */
  readonly sessionId: string;
  /** Number of dropped events: refused by the server, or pushed out when memory was full. */
  readonly dropped: number;
}
