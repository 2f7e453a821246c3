import type { Part, PartContext } from './context';
import { combineTeardowns, guard, listen } from './guard';
import { createRecordBatches } from './record-batches';
import { createRecordBuffer, type RecordBuffer } from './record-buffer';
import { type Capture, capture } from './record-capture';
import { isSampled } from './record-sample';
import { uuid } from './uuid';

/** What the pages and tabs of a session share about its recording. */
interface SharedState {
  /** The session's id. */
  id: string;
  /** When the recording began, epoch milliseconds. */
  since: number;
  /** An error has happened: with `recordErrorsOnly`, the rest of the session is recorded. */
  failed?: boolean | undefined;
  /** The tab that records. Only one at a time: a replay cannot show two. */
  tab: string;
}
const STORAGE_NAME = 'recording';
/** rrweb can run only once per page. */
let active: { context: PartContext; request: () => void } | undefined;

/** True in a frame whose page records it. */
function isWithin(): boolean {
  try {
    return window.parent !== window && 'tracker' in window.parent;
  } catch {
    // The page around is of another site and cannot be read.
    return false;
  }
}

export const start: Part['start'] = (context, isRequested = false) => {
  const { options, session, storage, debug } = context;
  if (isWithin() && !options.recordCrossOriginIframes) return () => undefined;
  if (typeof MutationObserver !== 'function') throw new Error('no MutationObserver');
  if (active) {
    if (active.context === context) active.request();
    else debug('another tracker records this page');
    return () => undefined;
  }
  const tab = uuid();
  let capturing: Capture | undefined;
  let buffer: RecordBuffer | undefined;
  let shared: SharedState;
  let lengthTimer: ReturnType<typeof setTimeout> | undefined;

  const update = (change: Partial<SharedState>): void => {
    const stored = storage.read(STORAGE_NAME) as SharedState | undefined;
    // Another tab may know more.
    shared = { ...shared, ...(stored?.id === shared.id && stored), ...change };
    storage.write(STORAGE_NAME, shared);
  };
  const claimTab = (): void => {
    if (shared.tab !== tab) update({ tab });
  };
  const openBuffer = (id: string): RecordBuffer => {
    shared = { id, since: Date.now(), tab };
    update({ tab, ...(context.hasFailed && { failed: true }) });
    const tooShortForMs = isRequested ? 0 : shared.since + options.recordMinSeconds * 1_000 - Date.now();
    const opened = createRecordBuffer(
      createRecordBatches(id, (item) => {
        context.send('recordings', item);
      }),
      options.recordErrorsOnly && !isRequested && shared.failed !== true,
      tooShortForMs > 0,
    );
    clearTimeout(lengthTimer);
    if (tooShortForMs > 0) lengthTimer = setTimeout(guard(opened.setLongEnough), tooShortForMs);
    return opened;
  };
  const end = (): void => {
    capturing?.stop();
    capturing = undefined;
    buffer?.close();
    buffer = undefined;
    clearTimeout(lengthTimer);
  };
  const begin = (id: string): void => {
    try {
      beginCapture(id);
    } catch (error) {
      debug('no recording:', error);
    }
  };
  const beginCapture = (id: string): void => {
    if (!isRequested && !isSampled(id, options.recordSample)) {
      debug('no recording: the session is not sampled');
      end();
      return;
    }
    buffer?.close();
    buffer = openBuffer(id);
    if (capturing) capturing.renew(buffer);
    else capturing = capture(context, buffer, claimTab);
  };
  /** A page that is opened in the background is recorded once it is visible. */
  const beginIfVisible = (): void => {
    if (!capturing && document.visibilityState === 'visible') begin(session.id);
  };
  const onError = (): void => {
    if (buffer?.waitsForError !== true) return;
    update({ failed: true });
    buffer.setFailed();
  };

  const teardowns = [
    () => {
      active = undefined;
    },
    end,
    context.beforeFlush(() => buffer?.close()),
    session.onRenew((id) => {
      if (capturing) begin(id);
      else beginIfVisible();
    }),
    listen(document, 'visibilitychange', beginIfVisible),
    listen(window, 'pageshow', ({ persisted }: PageTransitionEvent) => {
      if (persisted) capturing?.pause();
    }),
    listen(window, 'storage', ({ key }: StorageEvent) => {
      if (!capturing || !key?.startsWith(`tracker.${STORAGE_NAME}.`)) return;
      const stored = storage.read(STORAGE_NAME) as Partial<SharedState> | undefined;
      if (stored?.id === shared.id && stored.failed) onError();
      if (stored?.tab === tab) return;
      shared.tab = '';
      capturing.pause();
    }),
  ];
  if (options.recordErrorsOnly) {
    teardowns.push(
      listen(window, 'error', ({ target }) => {
        // Not an image that failed to load.
        if (target === window) onError();
      }),
      listen(window, 'unhandledrejection', onError),
    );
  }
  active = {
    context,
    request() {
      isRequested = true;
      // Events that were held back are wanted now.
      buffer?.setFailed();
      buffer?.setLongEnough();
      beginIfVisible();
    },
  };
  beginIfVisible();
  return combineTeardowns(teardowns);
};
