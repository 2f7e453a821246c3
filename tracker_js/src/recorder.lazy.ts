import type { Part, PartContext } from './context';
import { combineTeardowns, guard, listen } from './guard';
import { createRecordBatches } from './record-batches';
import { createRecordBuffer, type RecordBuffer } from './record-buffer';
import { type Capture, capture } from './record-capture';
import { isSampled } from './record-sample';
import { uuid } from './uuid';

/** What the pages and tabs of a visit have to know of its recording. */
interface Note {
  /** The session. */
  id: string;
  /** When it was first seen, epoch milliseconds. */
  since: number;
  /** An error has happened: with `recordErrorsOnly`, the rest of the visit is recorded. */
  failed?: boolean | undefined;
  /** The tab that records: two at a time would be one muddled replay. */
  tab: string;
}
const NOTE = 'recording';
/** rrweb is one for a page: two recordings at a time would be half of each. */
let current: { context: PartContext; ask: () => void } | undefined;

/** True in a frame of a page that records it. */
function isWithin(): boolean {
  try {
    return window.parent !== window && 'tracker' in window.parent;
  } catch {
    // Of another site, which cannot see into this one.
    return false;
  }
}

export const start: Part['start'] = (context, asked = false) => {
  const { options, session, storage, debug } = context;
  if (isWithin() && !options.recordCrossOriginIframes) return () => undefined;
  if (current) {
    if (current.context === context) current.ask();
    else debug('another tracker of this page records it');
    return () => undefined;
  }
  const tab = uuid();
  let running: Capture | undefined;
  let buffer: RecordBuffer | undefined;
  let note: Note;
  let ageTimer: ReturnType<typeof setTimeout> | undefined;

  const keep = (change: Partial<Note>): void => {
    const stored = storage.read(NOTE) as Note | undefined;
    // Another tab may know more.
    note = { ...note, ...(stored?.id === note.id && stored), ...change };
    storage.write(NOTE, note);
  };
  const claim = (): void => {
    if (note.tab !== tab) keep({ tab });
  };
  const openBuffer = (id: string): RecordBuffer => {
    note = { id, since: Date.now(), tab };
    keep({ tab, ...(context.hasFailed && { failed: true }) });
    const youngFor = asked ? 0 : note.since + options.recordMinSeconds * 1_000 - Date.now();
    const made = createRecordBuffer(
      createRecordBatches(id, (item) => {
        context.send('recordings', item);
      }),
      options.recordErrorsOnly && !asked && note.failed !== true,
      youngFor > 0,
    );
    clearTimeout(ageTimer);
    if (youngFor > 0) ageTimer = setTimeout(guard(made.aged), youngFor);
    return made;
  };
  const end = (): void => {
    running?.stop();
    running = undefined;
    buffer?.cut();
    buffer = undefined;
    clearTimeout(ageTimer);
  };
  const begin = guard((id: string) => {
    if (!asked && !isSampled(id, options.recordSample)) {
      debug('this session is not of the share that is recorded');
      end();
      return;
    }
    buffer?.cut();
    buffer = openBuffer(id);
    if (running) running.renew(buffer);
    else running = capture(context, buffer, claim);
  });
  /** A page that is opened in the background is recorded when it is looked at. */
  const beginIfSeen = (): void => {
    if (!running && document.visibilityState === 'visible') begin(session.id);
  };
  const failed = (): void => {
    if (buffer?.waitsForError !== true) return;
    keep({ failed: true });
    buffer.failed();
  };

  const teardowns = [
    () => {
      current = undefined;
    },
    end,
    context.beforeFlush(() => buffer?.cut()),
    session.onRenew((id) => {
      if (running) begin(id);
      else beginIfSeen();
    }),
    listen(document, 'visibilitychange', beginIfSeen),
    listen(window, 'pageshow', ({ persisted }: PageTransitionEvent) => {
      if (persisted) running?.rest();
    }),
    listen(window, 'storage', ({ key }: StorageEvent) => {
      if (!running || !key?.startsWith(`tracker.${NOTE}.`)) return;
      const stored = storage.read(NOTE) as Partial<Note> | undefined;
      if (stored?.id === note.id && stored.failed) failed();
      if (stored?.tab === tab) return;
      note.tab = '';
      running.rest();
    }),
  ];
  if (options.recordErrorsOnly) {
    teardowns.push(
      listen(window, 'error', ({ target }) => {
        // Not of an image that did not load.
        if (target === window) failed();
      }),
      listen(window, 'unhandledrejection', failed),
    );
  }
  current = {
    context,
    ask() {
      asked = true;
      // What is held back is wanted now.
      buffer?.failed();
      buffer?.aged();
      beginIfSeen();
    },
  };
  beginIfSeen();
  return combineTeardowns(teardowns);
};
