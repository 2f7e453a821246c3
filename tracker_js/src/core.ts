import type { Options } from './api.js';
import { initClicks } from './clicks';
import type { LoadPart, PartContext, PartName, ScreenshotPart } from './context';
import { createDelivery } from './delivery';
import type { Delivery } from './delivery-types';
import { initErrors } from './errors';
import type { EventFields } from './event';
import { createEventBatches, type EventBatches } from './event-batches';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { json } from './json';
import { createLazyParts } from './lazy-parts';
import type { ProjectStorage } from './local-storage';
import { initPageViews } from './page-views';
import type { createPolicy, Policy } from './policy.lazy';
import { createSession, type Session } from './session';
import { Events, State, STATES } from './states';
import { openTab } from './tab';

/** Events of these types happen without the visitor and do not keep a session alive. */
const PASSIVE = /^(error|resize|scroll|visibility|web_vital|request_failed|console|dead_click|form_abandon|page_time)$/;
/** At most this many events and calls are held in memory. */
export const MAX_HELD = 200;
/** `flush()` waits at most this long for parts that are being loaded. */
const MAX_LOADING_MS = 5_000;

export interface CoreOptions extends Options {
  project: string;
  endpoint: string;
}

export type DebugLog = (...messages: unknown[]) => void;

export interface Core {
  track: (name: string, data: unknown) => void;
  /** Without a user id: forgets the user. */
  identify: (userId?: string, traits?: Record<string, unknown>) => void;
  record: (on: boolean) => void;
  screenshot: () => Promise<void>;
  /** The visitor has given consent. */
  consent: () => void;
  flush: () => Promise<void>;
  stop: () => Promise<void>;
  /** Stops at once and removes everything that is unsent. Undefined where nothing was captured yet. Rejects where that fails. */
  erase: () => Promise<void> | undefined;
  readonly sessionId: string;
  readonly dropped: number;
}

/** Removes unsent items, also of earlier pages. Without a stored session there are none. Rejects where the outbox cannot be loaded. */
export const eraseUnsent = async (options: CoreOptions, storage: ProjectStorage, debug: DebugLog, load: LoadPart): Promise<void> => {
  if (storage.read('session')) await createDelivery({ ...options, fetch, debug, json, onStop: () => undefined }, load).clear();
};

/**
 * Observes at once and goes through the states of states.ts. Events that come before the rules are known are held, then
 * masked by the policy in their order. `onOptOut` is called when the visitor opts out in another tab.
 */
export function startCore(given: CoreOptions, storage: ProjectStorage, hasConsent: boolean, debug: DebugLog, load: LoadPart, onOptOut: () => void): Core {
  const original = Reflect.get(window, 'fetch');
  const shared = { fetch: ((...given) => Reflect.apply(original, window, given)) as typeof fetch, json, storage, load, debug };
  const teardowns: Teardown[] = [];
  const stopObserving = combineTeardowns(teardowns);
  const finishers = new Set<(isGoing: boolean) => void>();
  const closers = new Set<() => void>();
  const navigations = new Set<(samePage: boolean) => void>();
  const parts = createLazyParts(load, debug);

  let state = State.WaitingForConsent;
  let held: (() => void)[] = [];
  let policy: Policy | undefined;
  let session: Session | undefined;
  // These three exist once the core has left `WaitingForRules` with a session.
  let delivery: Delivery | undefined;
  let batches: EventBatches | undefined;
  let context: PartContext | undefined;
  let erasing: Promise<void> | undefined;
  /** Traits that were set in the state `Provisional`. */
  let earlyTraits: Record<string, unknown> | undefined;
  let isRecordingRequested = false;
  let isPageView = false;
  let hasFailed = false;
  let markDecided: () => void;
  /** Resolves when the core has left the first three states. */
  const decided = new Promise<void>((resolve) => (markDecided = resolve));

  const enter = (to: State): void => {
    const from = state;
    if (!STATES[from].next.includes(to)) return;
    state = to;
    switch (to) {
      case State.WaitingForRules:
        loadPolicy();
        return;
      case State.Provisional:
        runHeld();
        return;
      case State.Tracking:
        // For the first time in this page; `onRenew` starts the later sessions.
        if (from < State.Tracking && (earlyTraits || !session?.started)) startSession(earlyTraits);
        runHeld();
        debug('recorded: session', session?.id);
        startParts();
        break;
      case State.Unsampled:
        debug('not recorded: the session is not sampled');
        if (from === State.Provisional) removeUnsent(true)?.catch(debug);
        runHeld();
        break;
      default:
        held = [];
        if (to === State.Stopped) debug('stopped: nothing more is recorded');
        stopObserving();
        policy?.stop();
        if (to === State.Erased) erasing = removeUnsent();
    }
    markDecided();
  };
  /** Enters the state that follows from the rules known so far, the browser's privacy signals and the session. */
  const decide = (): void => {
    if (!policy) return;
    const { isFinal } = policy;
    if (policy.isOptedOut()) {
      // Whether the project honours the signal is not guessed.
      if (!isFinal) return;
      debug('not recorded: the visitor asks for that');
      enter(State.Erased);
      erasing?.catch(debug);
      return;
    }
    session ??= openSession();
    context ??= openDelivery(policy, session);
    enter(!isFinal ? State.Provisional : policy.isSampled(session.id) ? State.Tracking : State.Unsampled);
  };

  const loadPolicy = (): void => {
    // With a privacy signal no session is stored before the project says whether it honours the signal.
    const { globalPrivacyControl, doNotTrack } = navigator as { globalPrivacyControl?: boolean; doNotTrack?: string };
    if (!globalPrivacyControl && doNotTrack !== '1') session = openSession();
    load('policy')
      .then((part: unknown) => {
        if (state !== State.WaitingForRules) return;
        policy = (part as { createPolicy: typeof createPolicy }).createPolicy({ ...shared, given, onChange: decide });
      })
      .catch((error: unknown) => {
        // Without the policy no secret would be masked.
        debug('no policy:', error);
        enter(State.Stopped);
      });
  };
  const openSession = (): Session => {
    const opened = createSession(storage);
    opened.onRenew(() => {
      hasFailed = false;
      batches?.close();
      decide();
      startSession();
      // A session begins with a page view, also one that begins with a click on a page left open.
      if (!isPageView) pageViews.onReturn();
    });
    return opened;
  };
  const openDelivery = (policy: Policy, session: Session): PartContext => {
    const { remask, tools } = policy;
    delivery = createDelivery({ ...given, ...shared, remask, ready: decided, onStop: () => { enter(State.Stopped); } }, load);
    batches = createEventBatches(delivery);
    return {
      ...shared,
      ...tools,
      session,
      emit,
      get hasFailed() {
        return hasFailed;
      },
      get config() {
        return policy.config;
      },
      beforeFlush: subscribe(closers),
      beforeLeave: subscribe(finishers),
      onNavigate: subscribe(navigations),
      send(lane, item) {
        if (does(Events.Write)) delivery?.add(lane, item);
      },
    };
  };
  const startParts = (): void => {
    if (state !== State.Tracking || !context) return;
    const { options, config } = context;
    parts.start('behaviour', context);
    if (options.screenshots) parts.start('screenshot', context);
    const isWanted = options.record ?? config.record;
    if (isRecordingRequested || (isWanted && options.recordSample > 0)) parts.start(recorder(), context, isRecordingRequested);
    else debug('no recording:', isWanted ? 'recordSample is 0' : 'it is not switched on');
  };
  const recorder = (): PartName => (context?.options.recordCanvas ? 'canvas' : 'recorder');
  /** Sends the start of the session to the server, as soon as that is allowed. */
  const startSession = (traits?: Record<string, unknown>): void => {
    if (state === State.Provisional) earlyTraits = { ...earlyTraits, ...traits };
    if (state !== State.Tracking || !policy || !session) return;
    const { id, user } = session;
    const body = policy.serializeSession(id, user, traits);
    delivery?.add('events', {
      path: '/sessions',
      events: 0,
      sessionId: id,
      body: () => body,
      onStored() {
        if (does(Events.Write)) session?.markStarted(id);
      },
    });
  };
  const removeUnsent = (onlyOwn?: boolean): Promise<void> | undefined => {
    batches?.clear();
    return delivery?.clear(onlyOwn);
  };

  const does = (events: Events): boolean => STATES[state].events === events;
  const subscribe = <T>(callbacks: Set<T>) => (callback: T): Teardown => {
    callbacks.add(callback);
    return () => callbacks.delete(callback);
  };
  const inOrder = (act: () => void): void => {
    if (!does(Events.Hold)) act();
    else if (held.length < MAX_HELD) held.push(act);
  };
  const runHeld = (): void => {
    for (const act of held.splice(0)) guard(act)();
  };
  const touch = (type: string): void => {
    isPageView = type === 'pageview';
    session?.touch(!PASSIVE.test(type));
    isPageView = false;
  };
  const emit = guard((type: string, fields: EventFields = {}, target?: EventTarget | null) => {
    const isHeld = does(Events.Hold);
    // Before the event gets its time: it may come after the page view with which a new session begins.
    if (!isHeld) touch(type);
    const all = { page_url: location.href, ...fields, timestamp: fields.timestamp ?? tab.timestamp() };
    inOrder(() => {
      if (isHeld) touch(type);
      if (does(Events.Write) && policy && session) batches?.push(session.touch(false), policy.serialize(type, all, target));
    });
  });

  const closeBatches = (): void => {
    for (const close of closers) guard(close)();
    batches?.close();
  };
  const finish = (isGoing: boolean): void => {
    for (const finish of finishers) guard(finish)(isGoing);
    closeBatches();
  };
  const leave = (isGoing: boolean): void => {
    delivery?.leave(() => {
      finish(isGoing);
    });
    session?.save();
  };
  const flush = async (): Promise<void> => {
    if (state === State.WaitingForConsent) return;
    await decided;
    closeBatches();
    // A recorder that is being loaded hands over what it has seen first.
    await Promise.race([parts.loaded(), new Promise((resolve) => setTimeout(resolve, MAX_LOADING_MS))]);
    closeBatches();
    await delivery?.settled();
  };

  const core: Core = {
    flush,
    consent() {
      enter(State.WaitingForRules);
    },
    track(name, data) {
      // A copy, since the page may change the object later.
      emit('custom', { event_data: json.parse(json.toJson({ name, data })) });
    },
    identify(userId, traits) {
      inOrder(() => {
        const before = session?.id;
        session?.setUser(userId);
        // Another user is another session, whose start is sent by `onRenew`.
        if (session?.touch(true) === before || traits) startSession(traits);
      });
    },
    record(on) {
      inOrder(() => {
        isRecordingRequested = on;
        if (on) startParts();
        else parts.stop(recorder());
      });
    },
    async screenshot() {
      if (state === State.WaitingForConsent) return;
      await decided;
      try {
        if (state === State.Tracking && context) await ((await load('screenshot')) as ScreenshotPart).take(context);
      } catch (error) {
        debug('no screenshot:', error);
      }
    },
    async stop() {
      finish(false);
      stopObserving();
      await flush();
      enter(State.Stopped);
    },
    erase() {
      enter(State.Erased);
      return erasing;
    },
    get sessionId() {
      return session?.id ?? '';
    },
    get dropped() {
      return delivery?.dropped ?? 0;
    },
  };

  if (hasConsent) enter(State.WaitingForRules);
  const tab = openTab(() => state !== State.WaitingForConsent);
  teardowns.push(tab.stop, parts.stopAll);
  const emitError: typeof emit = (...event) => {
    hasFailed = true;
    emit(...event);
  };
  guard(() => teardowns.push(initClicks({ emit })))();
  guard(() => teardowns.push(initErrors({ emit: emitError })))();
  const pageViews = initPageViews(
    { emit },
    (samePage) => {
      for (const navigate of navigations) guard(navigate)(samePage);
    },
    tab,
    given.pageViews === 'url',
  );
  closers.add(pageViews.settle);
  teardowns.push(
    pageViews.stop,
    listen(document, 'visibilitychange', () => {
      if (document.hidden) leave(false);
    }),
    listen(window, 'pagehide', () => {
      leave(true);
    }),
    listen(window, 'storage', ({ key, newValue }: StorageEvent) => {
      if (key === storage.keyOf('consent') && newValue === 'false') onOptOut();
    }),
  );
  return core;
}
