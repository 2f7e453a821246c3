/** What a tag says in `data-*` attributes and a page in `init({…})`: `recordSample` is `data-record-sample`. */
export interface Options {
  /** Public write key of the project; empty for a server in open mode. */
  project?: string | undefined;
  /** Where the server is; by default where the script came from, in the npm package the page's own origin. */
  endpoint?: string | undefined;
  /** `false`: nothing begins before `init()` (the tag only). */
  auto?: boolean | undefined;
  /** Says in the console what is done, and why something is not. */
  debug?: boolean | undefined;
  /** `required`: nothing is stored or sent before `optIn()`. */
  consent?: 'required' | undefined;
  /** Whether "Do Not Track" is heeded; by default as the project says. */
  respectDnt?: boolean | undefined;
  /** A screenshot of each page (default true). */
  screenshots?: boolean | undefined;
  screenshotEngine?: 'modern-screenshot' | 'html2canvas' | undefined;
  /** Whether pages are recorded (rrweb); by default as the project says. */
  record?: boolean | undefined;
  /** The share of sessions that are recorded, 0 to 1. */
  recordSample?: number | undefined;
  /** Shorter visits leave no recording. */
  recordMinSeconds?: number | undefined;
  /** Only visits with an error are recorded, from a minute before it. */
  recordErrorsOnly?: boolean | undefined;
  recordCanvas?: boolean | undefined;
  recordCrossOriginIframes?: boolean | undefined;
  /** Images and fonts are stored within the recording (default true). */
  inlineImages?: boolean | undefined;
  /** Elements whose text is masked in recordings and screenshots: a selector. */
  maskText?: string | undefined;
  /** Elements that are blank in recordings and screenshots: a selector. */
  block?: string | undefined;
  /** Which calls of `console` are told (default "error"). */
  console?: 'error' | 'all' | false | undefined;
  /** Failed requests of the page are told (default true). */
  network?: boolean | undefined;
  /** Web vitals are told (default true). */
  vitals?: boolean | undefined;
}

/** Nothing in it throws, whatever it is given. */
export interface Tracker {
  /** Starts recording. Done by the tag itself unless it says `data-auto="false"`. A second call changes nothing. */
  init: (options?: Options) => void;
  /** Tells an event of the site's own: stored as `custom`, with `{name, data}`. */
  track: (name: string, data?: unknown) => void;
  /** Ties this session, and the next ones of this browser, to a user of the site; `traits` fill up the session's metadata. */
  identify: (userId: string | number, traits?: Record<string, unknown>) => void;
  /** Records the page (rrweb) from now on, whatever options and sampling of recordings say. */
  startRecording: () => void;
  stopRecording: () => void;
  /** Takes a screenshot of the page as it is now. */
  screenshot: () => Promise<void>;
  /** The visitor agrees: what waited for consent begins, also after `optOut()`. */
  optIn: () => void;
  /** The visitor refuses: everything stops, what is stored in the browser is removed, and only the refusal is remembered. */
  optOut: () => Promise<void>;
  /** Forgets the user and begins a new session: after a logout. */
  reset: () => void;
  /** Sends what waits; resolves when it is stored, or when the next retry has been scheduled. */
  flush: () => Promise<void>;
  /** Takes all observers away and sends the rest. */
  stop: () => Promise<void>;
  /** A UUID; empty while nothing is recorded. */
  readonly sessionId: string;
  /** Events that were given up: refused by the server, or pushed out of a full memory. */
  readonly dropped: number;
}
