import { record } from '@rrweb/record';
import type { PartContext } from './context';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { blockSelector, maskSelector } from './mask-selectors';
import type { RecordBuffer } from './record-buffer';
import { createInliner } from './record-inline-assets';
import { stopListening } from './record-listeners';
import { createMasker, isEmpty } from './record-mask';
import { USER_ACTIONS, FULL_SNAPSHOT, INCREMENTAL, META, type Mirror, MUTATION, type RecordedEvent, SCROLL } from './rrweb-types';
import { watchUserInput } from './user-input';

/** A replay of any minute needs no more than five of them; a snapshot of a large page weighs as much as some minutes of events. */
const CHECKOUT_MS = 5 * 60_000;
/** While an error is waited for: so much before it is shown at least. */
const CHECKOUT_WAITING_MS = 60_000;
/** Nobody is there: what the page does by itself is not told until somebody comes back. */
const REST_MS = 5 * 60_000;
/** A page that is never idle is taken all the same. */
const IDLE_TIMEOUT_MS = 2_000;
const CANVAS_FRAMES_A_SECOND = 2;
const ASK = 'tracker: snapshot';

export interface Capture {
  /** From now on in another recording, which begins with a full snapshot. */
  renew: (buffer: RecordBuffer) => void;
  /** Tells nothing until the visitor does something here: another tab, or another page in this one, is recorded now. */
  rest: () => void;
  stop: Teardown;
}

/** rrweb at work: masks what it tells, and hands it on while somebody is there. `onAct`: the visitor did something. */
export function capture(context: PartContext, first: RecordBuffer, onAct: () => void): Capture {
  const { options, secrets, session, debug, json } = context;
  const block = blockSelector(options);
  const mirror = record.mirror as Mirror;
  let buffer = first;
  let stopped = false;
  let resting = false;
  let planned = false;
  let actedAt = Date.now();
  let snapshotAt = 0;
  let latest = 0;

  const tell = (event: RecordedEvent): void => {
    // A clock that was set back must not put an event before the snapshot that it needs.
    event.timestamp = latest = Math.max(latest, event.timestamp);
    if (buffer.push(json.toJson(event), event.type === META)) return;
    debug('an rrweb event is larger than the server takes, and is left out');
    if (event.type === FULL_SNAPSHOT) stop();
  };
  const inliner = options.inlineImages
    ? createInliner(mirror, context.fetch, (event) => {
        if (!stopped && !resting) tell(event);
      })
    : undefined;
  const masker = createMasker({
    secrets,
    masking: context.config.masking,
    mirror,
    block,
    maskText: maskSelector(options),
    onImage: (node) => inliner?.image(node),
  });

  const refresh = guard(() => {
    // Each snapshot listens to all frames anew.
    stopListening('load');
    record.takeFullSnapshot(true);
    askFrames();
  });
  /** A frame of another site tells its own snapshot, without which it would be blank from ours on. */
  const askFrames = guard(() => {
    if (options.recordCrossOriginIframes) for (const frame of Array.from(window as ArrayLike<Window>)) frame.postMessage(ASK, '*');
  });
  const refreshSoon = (): void => {
    if (planned) return;
    planned = true;
    const take = (): void => {
      planned = false;
      if (!stopped && !resting) refresh();
    };
    if (typeof requestIdleCallback === 'function') requestIdleCallback(take, { timeout: IDLE_TIMEOUT_MS });
    else setTimeout(take);
  };

  const emit = (event: RecordedEvent): void => {
    if (stopped || isEmpty(event)) return;
    if (event.type !== INCREMENTAL) {
      tell(event);
      if (event.type !== FULL_SNAPSHOT) return;
      snapshotAt = Date.now();
      inliner?.fonts();
      return;
    }
    const isAct = USER_ACTIONS.includes(event.data.source) || (event.data.source === SCROLL && userInput.isRecent());
    const snapshotBefore = snapshotAt;
    const now = Date.now();
    if (isAct) {
      actedAt = now;
      onAct();
      // May begin another session, which takes a snapshot.
      session.touch(true);
      if (resting) {
        resting = false;
        refresh();
      }
    } else if (resting || now - actedAt > REST_MS) {
      resting = true;
      return;
    }
    // A snapshot that was taken just now holds what a mutation tells.
    if (stopped || (event.data.source === MUTATION && snapshotAt !== snapshotBefore)) return;
    tell(event);
    if (now - snapshotAt > (buffer.waitsForError ? CHECKOUT_WAITING_MS : CHECKOUT_MS)) refreshSoon();
  };

  const userInput = watchUserInput();
  const teardowns: Teardown[] = [userInput.stop];
  const stopAll = combineTeardowns(teardowns);
  const stop = (): void => {
    stopped = true;
    stopAll();
  };
  if (inliner) teardowns.push(inliner.stop);
  teardowns.push(
    listen(window, 'message', ({ data, source }: MessageEvent) => {
      if (!options.recordCrossOriginIframes || data !== ASK || source !== window.parent || source === window) return;
      // Whether somebody is there is for the page around it to say.
      resting = false;
      refreshSoon();
    }),
    listen(document, 'input', (event) => {
      masker.typed((event.composedPath()[0] ?? event.target) as Element);
    }),
  );
  const stopRrweb = record({
    emit: (event) => {
      emit(event as unknown as RecordedEvent);
    },
    // As a plugin, since what a frame tells the page around it goes past `emit`. When it throws, nothing is told.
    plugins: [
      {
        name: 'tracker/mask',
        options: {},
        eventProcessor: (event) => {
          masker.event(event as unknown as RecordedEvent);
          return event;
        },
      },
    ],
    blockSelector: block,
    // By the elements' names, which takes in those types that rrweb does not know.
    maskInputOptions: { input: true, textarea: true, select: true } as object,
    maskInputFn: masker.input,
    slimDOMOptions: 'all',
    recordAfter: 'DOMContentLoaded',
    recordCanvas: options.recordCanvas,
    recordCrossOriginIframes: options.recordCrossOriginIframes,
    sampling: options.recordCanvas ? { canvas: CANVAS_FRAMES_A_SECOND } : {},
    dataURLOptions: { type: 'image/webp', quality: 0.6 },
    errorHandler: (error: unknown) => {
      debug('rrweb failed', error);
      return true;
    },
  });
  teardowns.push(() => {
    stopRrweb?.();
    stopListening('load');
    stopListening('message');
  });
  askFrames();
  // Its first snapshot was too large.
  if (stopped) stopAll();

  return {
    rest() {
      resting = true;
    },
    renew(next) {
      buffer = next;
      resting = false;
      refresh();
    },
    stop,
  };
}
