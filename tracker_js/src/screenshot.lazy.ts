import type { PartContext, ScreenshotPart } from './context';
import { fnv1a } from './fnv-hash';
import { combineTeardowns, listen } from './guard';
import { whenIdle } from './idle';
import { blockSelector, maskSelector } from './mask-selectors';
import { type Changes, watchChanges } from './screenshot-changes';
import { type EncodedScreenshot, encodeScreenshot } from './screenshot-encode';
import type { Engine } from './screenshot-engine';
import { drawModern } from './screenshot-engine-modern';

/** A single-page app changes its URL before its content. */
const SETTLE_MS = 500;
/** A page that is never idle is taken all the same. */
const IDLE_TIMEOUT_MS = 2_000;
/**
 * The most that a phone's browser can draw (4096 × 4096). A page of 1,280 pixels width fits at full size up to a
 * height of 13,000 pixels.
 */
const MAX_PIXELS = 4_096 * 4_096;
const MAX_SIDE = 16_384;

/** What was sent, so that an unchanged page is not sent twice. */
interface SentScreenshots {
  /** Session, address and content hash of each image. */
  keys: Set<string>;
  /** The page of the last image, and whether it has changed since: an unchanged page is not even drawn. */
  page: string;
  changes?: Changes | undefined;
}
const takenByContext = new WeakMap<PartContext, SentScreenshots>();
const sentOf = (context: PartContext): SentScreenshots => {
  const sent = takenByContext.get(context) ?? { keys: new Set(), page: '' };
  takenByContext.set(context, sent);
  return sent;
};
/** One after the other: two at once would block the page twice as long. */
let running: Promise<void> = Promise.resolve();

/** Returns the page's background: that of the root, else of the body, else white. */
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

/** Draws the whole page, at full size unless it is too large to draw. */
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
    // For example a colour that html2canvas does not know.
    if (engine === drawModern) throw error;
    debug('html2canvas failed:', error);
    return drawModern(drawing);
  });
  return encodeScreenshot(canvas);
}

async function takeNow(context: PartContext, isWanted: () => boolean): Promise<void> {
  if (!isWanted()) return;
  const { secrets, session, send, debug, json } = context;
  const sent = sentOf(context);
  const url = location.href;
  const timestamp = new Date().toISOString();
  const sessionId = session.touch(false);
  const page = `${sessionId} ${url}`;
  const debugUnchanged = (): void => {
    debug('no screenshot: unchanged page');
  };
  if (sent.page === page && sent.changes?.hasChanged === false) {
    debugUnchanged();
    return;
  }
  sent.page = '';
  sent.changes?.reset();
  try {
    const screenshot = await draw(context);
    // Drawing takes a moment: an image that began on one page and ended on another shows neither.
    if (!screenshot || location.href !== url || !isWanted()) return;
    sent.page = page;
    const key = `${page} ${fnv1a(screenshot.image_data)}`;
    if (sent.keys.has(key)) {
      debugUnchanged();
      return;
    }
    sent.keys.add(key);
    const body = json.toJson({ session_id: sessionId, page_url: secrets.url(url), timestamp, ...screenshot });
    send('images', { path: '/track/screenshot', events: 0, sessionId, body: () => body });
  } catch (error) {
    // A content security policy forbids it, or the page cannot be drawn.
    debug('no screenshot:', error);
  }
}

const queue = (context: PartContext, isWanted: () => boolean): Promise<void> => (running = running.then(() => takeNow(context, isWanted)));

/** Takes one image of the page now, unless the page has not changed. */
export const take: ScreenshotPart['take'] = (context) => queue(context, () => true);

/** Takes one image of each page, once it is idle. */
export const start: ScreenshotPart['start'] = (context) => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const takeIdle = (): void => void queue(context, () => !stopped);
  const schedule = (): void => {
    // Images are not loaded before.
    if (document.readyState !== 'complete') return;
    clearTimeout(timer);
    timer = setTimeout(whenIdle, SETTLE_MS, takeIdle, IDLE_TIMEOUT_MS);
  };
  const sent = sentOf(context);
  const changes = watchChanges();
  sent.changes = changes;
  schedule();
  return combineTeardowns([
    () => {
      stopped = true;
      clearTimeout(timer);
      changes.stop();
      sent.changes = undefined;
    },
    listen(window, 'load', schedule),
    context.onNavigate((samePage) => {
      if (!samePage) schedule();
    }),
    // A session begins with a screenshot, also one that begins on a page left open.
    context.session.onRenew(schedule),
  ]);
};
