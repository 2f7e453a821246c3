import type { Capture } from './record-capture';
import type { Part, PartContext } from './types';
import { all, guard, listen } from './guard';
import { createBatches } from './record-batches';
import { capture } from './record-capture';
import { createReel, type Reel } from './record-reel';
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
  const { options, session, memory, debug } = context;
  if (isWithin() && !options.recordCrossOriginIframes) return () => undefined;
  if (current) {
    if (current.context === context) current.ask();
    else debug('another tracker of this page records it');
    return () => undefined;
  }
  const tab = uuid();
  let running: Capture | undefined;
  let reel: Reel | undefined;
  let note: Note;
  let ageTimer: ReturnType<typeof setTimeout> | undefined;

  const keep = (change: Partial<Note>): void => {
    const stored = memory.read(NOTE) as Note | undefined;
    // Another tab may know more.
    note = { ...note, ...(stored?.id === note.id && stored), ...change };
    memory.write(NOTE, note);
  };
  const claim = (): void => {
    if (note.tab !== tab) keep({ tab });
  };
  const openReel = (id: string): Reel => {
    note = { id, since: Date.now(), tab };
    keep({ tab, ...(context.hasFailed && { failed: true }) });
    const youngFor = asked ? 0 : note.since + options.recordMinSeconds * 1_000 - Date.now();
    const made = createReel(
      createBatches(id, (item) => {
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
    reel?.cut();
    reel = undefined;
    clearTimeout(ageTimer);
  };
  const begin = guard((id: string) => {
    if (!asked && !isSampled(id, options.recordSample)) {
      debug('this session is not of the share that is recorded');
      end();
      return;
    }
    reel?.cut();
    reel = openReel(id);
    if (running) running.renew(reel);
    else running = capture(context, reel, claim);
  });
  /** A page that is opened in the background is recorded when it is looked at. */
  const beginIfSeen = (): void => {
    if (!running && document.visibilityState === 'visible') begin(session.id);
  };
  const failed = (): void => {
    if (reel?.waitsForError !== true) return;
    keep({ failed: true });
    reel.failed();
  };

  const teardowns = [
    () => {
      current = undefined;
    },
    end,
    context.beforeFlush(() => reel?.cut()),
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
      const stored = memory.read(NOTE) as Partial<Note> | undefined;
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
      reel?.failed();
      reel?.aged();
      beginIfSeen();
    },
  };
  beginIfSeen();
  return all(teardowns);
};
