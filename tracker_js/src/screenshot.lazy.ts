import type { PartContext, ScreenshotPart } from './context';
import { fnv1a } from './fnv-hash';
import { combineTeardowns, guard, listen } from './guard';
import { blockSelector, maskSelector } from './mask-selectors';
import { type Changes, watchChanges } from './screenshot-changes';
import { type EncodedScreenshot, encodeScreenshot } from './screenshot-encode';
import type { Engine } from './screenshot-engine';
import { drawModern } from './screenshot-engine-modern';

/** A single-page app changes its URL first and its page then. */
const SETTLE_MS = 500;
/** A page that is never idle is taken all the same. */
const IDLE_TIMEOUT_MS = 2_000;
/** What a phone's browser can draw (4096 × 4096); a page of 1,280 pixels width fits at full size up to 13,000 pixels height. */
const MAX_PIXELS = 4_096 * 4_096;
const MAX_SIDE = 16_384;

/** What was sent, so that an unchanged page is not sent twice. */
interface Taken {
  /** The images by session, address and content. */
  keys: Set<string>;
  /** The page of the last one, and what has changed on it: it need not even be drawn again. */
  page: string;
  changes?: Changes | undefined;
}
const taken = new WeakMap<PartContext, Taken>();
const takenOf = (context: PartContext): Taken => {
  const known = taken.get(context) ?? { keys: new Set(), page: '' };
  taken.set(context, known);
  return known;
};
/** One after the other: two at once would only take the page twice as long. */
let running: Promise<void> = Promise.resolve();

/** What the page's own background is: the root's, else the body's, else paper. */
function background(): string {
  for (const element of [document.documentElement, document.body]) {
    const colour = element ? getComputedStyle(element).backgroundColor : '';
    if (colour && !/^(transparent|rgba\(0, 0, 0, 0\))$/.test(colour)) return colour;
  }
  return '#fff';
}

async function engineOf({ options, load, debug }: PartContext): Promise<Engine> {
  if (options.screenshotEngine !== 'html2canvas') return drawModern;
  try {
    return ((await load('html2canvas')) as { draw: Engine }).draw;
  } catch (error) {
    debug('no html2canvas:', error);
    return drawModern;
  }
}

/** The whole page, at full size unless it is too large to draw. */
async function draw(context: PartContext): Promise<EncodedScreenshot | undefined> {
  const { options, secrets, fetch, debug } = context;
  const blank = ['[data-private],[contenteditable]:not([contenteditable="false" i])', blockSelector(options), maskSelector(options)].join(',');
  const page = document.documentElement;
  if (page.matches(blank)) return undefined;
  const width = Math.max(page.scrollWidth, innerWidth);
  const height = Math.max(page.scrollHeight, innerHeight);
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)), MAX_SIDE / Math.max(width, height));
  const drawing = { secrets, fetch, blank, width, height, scale, background: background() };
  const engine = await engineOf(context);
  const canvas = await engine(drawing).catch((error: unknown) => {
    // A colour that html2canvas does not know, for example.
    if (engine === drawModern) throw error;
    debug('html2canvas failed:', error);
    return drawModern(drawing);
  });
  return encodeScreenshot(canvas);
}

async function takeNow(context: PartContext, isWanted: () => boolean): Promise<void> {
  if (!isWanted()) return;
  const { secrets, session, send, debug, json } = context;
  const known = takenOf(context);
  const url = location.href;
  const timestamp = new Date().toISOString();
  const sessionId = session.touch(false);
  const page = `${sessionId} ${url}`;
  const isSent = (): void => {
    debug('the page has not changed since its last screenshot');
  };
  if (known.page === page && known.changes?.seen === false) {
    isSent();
    return;
  }
  known.page = '';
  known.changes?.arm();
  try {
    const shot = await draw(context);
    // Drawing takes a moment; an image that began on one page and ended on another shows neither.
    if (!shot || location.href !== url || !isWanted()) return;
    known.page = page;
    const key = `${page} ${fnv1a(shot.image_data)}`;
    if (known.keys.has(key)) {
      isSent();
      return;
    }
    known.keys.add(key);
    const body = json.toJson({ session_id: sessionId, page_url: secrets.url(url), timestamp, ...shot });
    send('images', { path: '/track/screenshot', events: 0, sessionId, body: () => body });
  } catch (error) {
    // A policy of the page forbids it, or it cannot be drawn: the events alone must do.
    debug('no screenshot:', error);
  }
}

const queue = (context: PartContext, isWanted: () => boolean): Promise<void> => (running = running.then(() => takeNow(context, isWanted)));

/** One image of the page as it is now, unless it has not changed. */
export const take: ScreenshotPart['take'] = (context) => queue(context, () => true);

/** One image of each page, when it has come to rest. */
export const start: ScreenshotPart['start'] = (context) => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const takeIdle = (): void => void queue(context, () => !stopped);
  const whenIdle = guard(() => {
    if (typeof requestIdleCallback === 'function') requestIdleCallback(takeIdle, { timeout: IDLE_TIMEOUT_MS });
    else takeIdle();
  });
  const schedule = (): void => {
    // Before that, the images are not there yet.
    if (document.readyState !== 'complete') return;
    clearTimeout(timer);
    timer = setTimeout(whenIdle, SETTLE_MS);
  };
  const known = takenOf(context);
  const changes = watchChanges();
  known.changes = changes;
  schedule();
  return combineTeardowns([
    () => {
      stopped = true;
      clearTimeout(timer);
      changes.stop();
      known.changes = undefined;
    },
    listen(window, 'load', schedule),
    context.onNavigate((samePath) => {
      if (!samePath) schedule();
    }),
    // A visit begins with a picture, also one that begins on a page left open over lunch.
    context.session.onRenew(schedule),
  ]);
};
