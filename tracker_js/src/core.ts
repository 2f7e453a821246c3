import type { Options } from './api.js';
import { initClicks } from './clicks';
import type { LoadPart, PartContext, PartName, ScreenshotPart } from './context';
import { createDelivery } from './delivery';
import type { Delivery } from './delivery-types';
import { initErrors } from './errors';
import type { EventFields } from './event';
import { createEventBatches, type EventBatches } from './event-batches';
import { all, guard, listen, type Teardown } from './guard';
import { json } from './json';
import { createLazyParts } from './lazy-parts';
import type { ProjectStorage } from './local-storage';
import { initPageViews } from './page-views';
import type { createPolicy, Policy } from './policy.lazy';
import { createSession, type Session } from './session';
import { openTab } from './tab';

/** These happen by themselves and do not keep a visit alive. */
const PASSIVE = /^(error|resize|scroll|visibility|web_vital|request_failed|console|dead_click|form_abandon|page_time)$/;
/** Events and calls that wait in memory until it is known whether they may be told. */
export const MAX_HELD = 200;
/** A part that takes longer to load is not waited for. */
const MAX_LOADING_MS = 5_000;

export interface Wanted extends Options {
  project: string;
  endpoint: string;
}

export type DebugLog = (...said: unknown[]) => void;

export interface Core {
  track: (name: string, data: unknown) => void;
  /** Without a user: forgets who it was. */
  identify: (userId?: string, traits?: Record<string, unknown>) => void;
  record: (on: boolean) => void;
  screenshot: () => Promise<void>;
  /** Nothing stands in the way any more but what the project says. */
  consent: () => void;
  flush: () => Promise<void>;
  stop: () => Promise<void>;
  /** Stops without a word more, and forgets what waits. */
  refuse: () => Promise<void>;
  readonly sessionId: string;
  readonly dropped: number;
}

/** Removes what waits to be sent, also what an earlier page has left: none did where there is no session. Rejects where it cannot. */
export const forget = async ({ endpoint, project }: Wanted, storage: ProjectStorage, debug: DebugLog, load: LoadPart): Promise<void> => {
  if (storage.read('session')) await createDelivery({ endpoint, project, fetch, debug, json, onStop: () => undefined }, load).clear();
};

/**
 * Observes at once, and tells when it may: `mayStore` says that consent is there or not needed. What happens before is
 * held, then written, in its order, by the policy, without which no secret would be left out.
 */
export function startCore(wanted: Wanted, storage: ProjectStorage, mayStore: boolean, debug: DebugLog, load: LoadPart, onRefused: () => void): Core {
  const { endpoint, project } = wanted;
  const teardowns: Teardown[] = [];
  const stopObserving = all(teardowns);
  let isStopped = false;
  const finishers = new Set<(isGoing: boolean) => void>();
  const cuts = new Set<() => void>();
  const navigations = new Set<(samePath: boolean) => void>();
  const tab = openTab(() => mayStore);
  const fetch = window.fetch.bind(window);

  let mode: 'hold' | 'tell' | 'drop' = 'hold';
  let held: (() => void)[] = [];
  let isAsked = false;
  let isView = false;
  let isCertain = false;
  let hasFailed = false;
  /** What was said of the visitor before it was certain that it may be sent. */
  let early: Record<string, unknown> | undefined;
  let policy: Policy | undefined;
  let session: Session | undefined;
  let delivery: Delivery | undefined;
  let queue: EventBatches | undefined;
  let context: PartContext | undefined;
  let decided: () => void;
  const isDecided = new Promise<void>((resolve) => (decided = resolve));

  const stopAll = (): void => {
    isStopped = true;
    stopObserving();
    policy?.stop();
    // Whoever waits for a decision waits no longer.
    decided();
  };
  const inOrder = (act: () => void): void => {
    if (mode !== 'hold') act();
    else if (held.length < MAX_HELD) held.push(act);
  };
  const touch = (type: string): void => {
    isView = type === 'pageview';
    session?.touch(!PASSIVE.test(type));
    isView = false;
  };
  const emit = guard((type: string, fields: EventFields = {}, target?: EventTarget | null) => {
    const isHeld = mode === 'hold';
    // Before it has its time: it may be behind the view with which another session begins.
    if (!isHeld) touch(type);
    const all = { timestamp: tab.timestamp(), page_url: location.href, ...fields };
    inOrder(() => {
      if (isHeld) touch(type);
      if (mode === 'tell' && policy && session) queue?.push(session.touch(false), policy.write(type, all, target));
    });
  });

  const begin = (traits?: Record<string, unknown>): void => {
    if (mode !== 'tell' || !policy || !session) return;
    if (!isCertain) {
      early = { ...early, ...traits };
      return;
    }
    const { id, user } = session;
    const body = policy.begin(id, user, traits);
    delivery?.add('events', {
      path: '/sessions',
      events: 0,
      sessionId: id,
      body: () => body,
      onStored: () => {
        if (mode === 'tell') session?.markStarted(id);
      },
    });
  };
  const openSession = (): Session => {
    const opened = createSession(storage);
    opened.onRenew(() => {
      hasFailed = false;
      queue?.cut();
      decide();
      begin();
      // A visit begins with a page view, also one that begins with a click on a page left open over lunch.
      if (!isView) pages.onReturn();
    });
    return opened;
  };
  const recorder = (): PartName => (policy?.options.recordCanvas ? 'canvas' : 'recorder');
  /** By what the project wants and the session at hand. */
  const decide = (): void => {
    if (!policy) return;
    if (policy.objects()) {
      // Whether that counts is the project's to say: nobody guesses.
      if (!policy.isCertain) return;
      debug('not recorded: the visitor asks for that');
      mode = 'drop';
      stopAll();
    } else {
      session ??= openSession();
      mode = policy.tells(session.id) ? 'tell' : 'drop';
      // Also for a visit that is not told: an earlier one may have left something behind.
      delivery ??= createDelivery({ endpoint, project, fetch, debug, json, remask: policy.remask, ready: isDecided, onStop: stopAll }, load);
      if (mode === 'drop') debug('not recorded: the project records a share of its sessions');
      else {
        context ??= createContext(policy, session);
        queue ??= createEventBatches(delivery);
      }
    }
    const isFirst = policy.isCertain && !isCertain;
    ({ isCertain } = policy);
    if (isFirst && (early || !session?.started)) begin(early);
    for (const act of held.splice(0)) guard(act)();
    if (isCertain) settle(policy, isFirst);
  };
  /** From now on it is sent, too; or what was assumed was wrong. */
  const settle = ({ options, config, objects }: Policy, isFirst: boolean): void => {
    if (mode === 'tell' && context) {
      if (!isStopped) {
        parts.start('behaviour', context);
        if (options.screenshots) parts.start('screenshot', context);
        if (options.record ?? config.record) parts.start(recorder(), context);
      }
    } else if (isFirst) forgetAll(!objects())?.catch(debug);
    decided();
  };
  const forgetAll = (onlyOwn?: boolean): Promise<void> | undefined => {
    queue?.clear();
    return delivery?.clear(onlyOwn);
  };

  const createContext = (known: Policy, session: Session): PartContext => ({
    emit,
    load,
    debug,
    fetch,
    session,
    json,
    storage,
    get hasFailed() {
      return hasFailed;
    },
    secrets: known.secrets,
    options: known.options,
    describe: known.describe,
    selectorOf: known.selectorOf,
    get config() {
      return known.config;
    },
    beforeFlush(cut) {
      cuts.add(cut);
      return () => cuts.delete(cut);
    },
    beforeLeave(finish) {
      finishers.add(finish);
      return () => finishers.delete(finish);
    },
    onNavigate(callback) {
      navigations.add(callback);
      return () => navigations.delete(callback);
    },
    send(lane, item) {
      if (mode === 'tell') delivery?.add(lane, item);
    },
    isOwn: (url) => url.startsWith(`${endpoint}/api/v1/`) || url.startsWith(`${endpoint}/tracker`),
  });
  const parts = createLazyParts(load, debug);

  const consent = (): void => {
    if (isAsked) return;
    isAsked = mayStore = true;
    // Whose browser asks for nothing has a session at once; of others the project has to say whether that counts.
    const { globalPrivacyControl, doNotTrack } = navigator as { globalPrivacyControl?: boolean; doNotTrack?: string };
    if (!globalPrivacyControl && doNotTrack !== '1') session = openSession();
    load('policy').then(
      guard((part: unknown) => {
        if (mode !== 'hold') return;
        policy = (part as { createPolicy: typeof createPolicy }).createPolicy({ wanted, storage, load, debug, fetch, json, onKnown: decide });
      }),
      (error: unknown) => {
        // Without it no secret would be left out.
        debug('no policy:', error);
        mode = 'drop';
        held = [];
        decided();
      },
    );
  };
  const flush = async (): Promise<void> => {
    if (!isAsked) return;
    await isDecided;
    cut();
    // What a recorder sees first is part of what waits.
    if (!isStopped) {
      await Promise.race([parts.loaded(), new Promise((resolve) => setTimeout(resolve, MAX_LOADING_MS))]);
      cut();
    }
    await delivery?.settled();
  };
  const cut = (): void => {
    for (const cut of cuts) guard(cut)();
    queue?.cut();
  };
  const finish = (isGoing: boolean): void => {
    for (const finish of finishers) guard(finish)(isGoing);
    cut();
  };
  const leave = guard((isGoing: boolean) => {
    delivery?.leave(() => {
      finish(isGoing);
    });
    session?.save();
  });
  const core: Core = {
    consent,
    flush,
    track(name, data) {
      // As it is now, whatever becomes of it.
      emit('custom', { event_data: json.parse(json.toJson({ name, data })) });
    },
    identify(userId, traits) {
      inOrder(() => {
        const before = session?.id;
        session?.setUser(userId);
        // Another user is another visit, which begins by itself.
        if (session?.touch(true) === before || traits) begin(traits);
      });
    },
    record(on) {
      inOrder(() => {
        if (!on) parts.stop(recorder());
        else if (mode === 'tell' && context && !isStopped) parts.start(recorder(), context, true);
      });
    },
    async screenshot() {
      if (!isAsked) return;
      await isDecided;
      try {
        if (mode === 'tell' && context) await ((await load('screenshot')) as ScreenshotPart).take(context);
      } catch (error) {
        debug('no screenshot:', error);
      }
    },
    async stop() {
      finish(false);
      stopObserving();
      isStopped = true;
      await flush();
      stopAll();
    },
    refuse() {
      mode = 'drop';
      held = [];
      stopAll();
      return forgetAll() ?? forget(wanted, storage, debug, load);
    },
    get sessionId() {
      return session?.id ?? '';
    },
    get dropped() {
      return delivery?.dropped ?? 0;
    },
  };

  teardowns.push(tab.stop, parts.stopAll);
  const fail: typeof emit = (...given) => {
    hasFailed = true;
    emit(...given);
  };
  guard(() => teardowns.push(initClicks({ emit })))();
  guard(() => teardowns.push(initErrors({ emit: fail })))();
  const pages = initPageViews(
    { emit },
    (samePath) => {
      for (const navigate of navigations) guard(navigate)(samePath);
    },
    tab.id,
  );
  teardowns.push(
    pages.stop,
    listen(document, 'visibilitychange', () => {
      if (document.hidden) leave(false);
    }),
    listen(window, 'pagehide', () => {
      leave(true);
    }),
    listen(window, 'storage', ({ key, newValue }: StorageEvent) => {
      // In another tab.
      if (key === storage.keyOf('consent') && newValue === 'false') onRefused();
    }),
  );
  if (mayStore) consent();
  return core;
}
