import { record } from '@rrweb/record';
import type { PartContext } from './context';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { whenIdle } from './idle';
import { blockSelector, maskSelector } from './mask-selectors';
import type { RecordBuffer } from './record-buffer';
import { createInliner } from './record-inline-assets';
import { stopListening } from './record-listeners';
import { createMasker, isEmpty } from './record-mask';
import { USER_ACTIONS, FULL_SNAPSHOT, INCREMENTAL, META, type Mirror, MUTATION, type RecordedEvent, SCROLL } from './rrweb-types';
import { watchUserInput } from './user-input';

/** Bounds the events that a replay of any minute needs. A snapshot of a large page weighs as much as some minutes of events. */
const CHECKOUT_MS = 5 * 60_000;
/** While an error is waited for: at least so much before it can be replayed. */
const CHECKOUT_WAITING_MS = 60_000;
/** Without user actions for this long, changes of the page are not recorded until the next action. */
const PAUSE_AFTER_MS = 5 * 60_000;
/** A page that is never idle is recorded all the same. */
const IDLE_TIMEOUT_MS = 2_000;
const CANVAS_FRAMES_A_SECOND = 2;
const SNAPSHOT_REQUEST = 'tracker: snapshot';

export interface Capture {
  /** Continues in another recording, which begins with a full snapshot. */
  renew: (buffer: RecordBuffer) => void;
  /** Records nothing until the visitor acts on this page: another tab, or another page in this one, is recorded now. */
  pause: () => void;
  stop: Teardown;
}

/** Runs rrweb, masks its events and passes them on while the visitor is active. `onAct` is called when the visitor acts. */
export function capture(context: PartContext, first: RecordBuffer, onUserAction: () => void): Capture {
  const { options, secrets, session, debug, json } = context;
  const block = blockSelector(options);
  const mirror = record.mirror as Mirror;
  let buffer = first;
  let isStopped = false;
  let isPaused = false;
  let isPlanned = false;
  let lastActionAt = Date.now();
  let snapshotAt = 0;
  let latestTimestamp = 0;

  const push = (event: RecordedEvent): void => {
    // A clock that is set back must not put an event before the snapshot that it needs.
    event.timestamp = latestTimestamp = Math.max(latestTimestamp, event.timestamp);
    if (buffer.push(json.toJson(event), event.type === META)) return;
    debug('an rrweb event is too large and is dropped');
    if (event.type === FULL_SNAPSHOT) stop();
  };
  const inliner = options.inlineImages
    ? createInliner(mirror, context.fetch, (event) => {
        if (!isStopped && !isPaused) push(event);
      })
    : undefined;
  const masker = createMasker({
    secrets,
    mirror,
    block,
    maskText: maskSelector(options),
    onImage: (node) => inliner?.inlineImage(node),
  });

  const takeSnapshot = guard(() => {
    // Each snapshot adds listeners to all frames again.
    stopListening('load');
    record.takeFullSnapshot(true);
    requestFrameSnapshots();
  });
  /** A frame of another site has to send its own snapshot: it would be blank after the page's next one. */
  const requestFrameSnapshots = guard(() => {
    if (options.recordCrossOriginIframes) for (const frame of Array.from(window as ArrayLike<Window>)) frame.postMessage(SNAPSHOT_REQUEST, '*');
  });
  const takeSnapshotSoon = (): void => {
    if (isPlanned) return;
    isPlanned = true;
    const take = (): void => {
      isPlanned = false;
      if (!isStopped && !isPaused) takeSnapshot();
    };
    whenIdle(take, IDLE_TIMEOUT_MS);
  };

  const emit = (event: RecordedEvent): void => {
    if (isStopped || isEmpty(event)) return;
    if (event.type !== INCREMENTAL) {
      push(event);
      if (event.type !== FULL_SNAPSHOT) return;
      snapshotAt = Date.now();
      inliner?.inlineFonts();
      return;
    }
    const isUserAction = USER_ACTIONS.includes(event.data.source) || (event.data.source === SCROLL && userInput.isRecent());
    const snapshotBefore = snapshotAt;
    const now = Date.now();
    if (isUserAction) {
      lastActionAt = now;
      onUserAction();
      // This may begin another session, which takes a snapshot.
      session.touch(true);
      if (isPaused) {
        isPaused = false;
        takeSnapshot();
      }
    } else if (isPaused || now - lastActionAt > PAUSE_AFTER_MS) {
      isPaused = true;
      return;
    }
    // A snapshot that was taken in this call already has the mutation.
    if (isStopped || (event.data.source === MUTATION && snapshotAt !== snapshotBefore)) return;
    push(event);
    if (now - snapshotAt > (buffer.waitsForError ? CHECKOUT_WAITING_MS : CHECKOUT_MS)) takeSnapshotSoon();
  };

  const userInput = watchUserInput();
  const teardowns: Teardown[] = [userInput.stop];
  const stopAll = combineTeardowns(teardowns);
  const stop = (): void => {
    isStopped = true;
    stopAll();
  };
  if (inliner) teardowns.push(inliner.stop);
  teardowns.push(
    listen(window, 'message', ({ data, source }: MessageEvent) => {
      if (!options.recordCrossOriginIframes || data !== SNAPSHOT_REQUEST || source !== window.parent || source === window) return;
      // The page around the frame knows whether the visitor is active.
      isPaused = false;
      takeSnapshotSoon();
    }),
    listen(document, 'input', (event) => {
      masker.addTypedField((event.composedPath()[0] ?? event.target) as Element);
    }),
  );
  const stopRrweb = record({
    emit: (event) => {
      emit(event as unknown as RecordedEvent);
    },
    // As a plugin, since events that a frame sends to the page around it do not pass `emit`. When it throws, the event is not recorded.
    plugins: [
      {
        name: 'tracker/mask',
        options: {},
        eventProcessor: (event) => {
          masker.maskEvent(event as unknown as RecordedEvent);
          return event;
        },
      },
    ],
    blockSelector: block,
    // By element name, which includes input types that rrweb does not know.
    maskInputOptions: { input: true, textarea: true, select: true } as object,
    maskInputFn: masker.maskInput,
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
  requestFrameSnapshots();
  // Its first snapshot was too large.
  if (isStopped) stopAll();

  return {
    pause() {
      isPaused = true;
    },
    renew(next) {
      buffer = next;
      isPaused = false;
      takeSnapshot();
    },
    stop,
  };
}
