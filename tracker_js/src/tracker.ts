import type { Options, Tracker } from './api.js';
import type { LoadPart } from './context';
import { type Core, type CoreOptions, type DebugLog, eraseUnsent, MAX_HELD, startCore } from './core';
import { guard } from './guard';
import { openProjectStorage, type ProjectStorage } from './local-storage';

/** True for an option that is on, also one from an attribute. */
const isOn = (value: unknown): boolean => value === '' || (Boolean(value) && value !== 'false');

/** Returns the object that stands at `window.tracker`: the page's calls and the visitor's consent. None of its methods throws. */
export function createTracker(defaults: Options, load: LoadPart): Tracker {
  let core: Core | undefined;
  let started: CoreOptions | undefined;
  /** Calls that came before the core was started; undefined after an opt-out or a stop, when calls are ignored. */
  let waiting: ((core: Core) => void)[] | undefined = [];
  let consent: boolean | undefined;

  const resolve = (given?: Options): CoreOptions => {
    const { project, endpoint, ...options } = { ...defaults, ...given };
    return { ...options, project: project ?? '', endpoint: (endpoint ?? location.origin).replace(/\/+$/, '') };
  };
  const call = guard((act: (core: Core) => void): void => {
    if (core) act(core);
    else if (waiting && waiting.length < MAX_HELD) waiting.push(act);
  });
  const debugLogOf = ({ debug }: CoreOptions): DebugLog => (...messages) => {
    if (isOn(debug)) console.info('tracker:', ...messages);
  };
  const run = guard((options: CoreOptions): void => {
    const storage = openProjectStorage(options.project);
    const debug = debugLogOf(options);
    if (consent) storage.write('consent', true);
    else consent ??= storage.read('consent') as boolean | undefined;
    if (consent === false) {
      debug('not recorded: the visitor opted out');
      void optOut(options, storage);
      return;
    }
    try {
      core ??= startCore(options, storage, consent ?? !isOn(options.consent), debug, load, () => void optOut(options, storage));
    } catch (error) {
      debug('not recorded:', error);
      return;
    }
    if (consent) core.consent();
    for (const act of waiting?.splice(0) ?? []) call(act);
  });

  /** After an opt-out here or in another tab. The stored session is removed last: if erasing fails, the next page sees it and erases again. */
  const optOut = (options: CoreOptions, storage: ProjectStorage): Promise<void> => {
    const stopping = core;
    const debug = debugLogOf(options);
    core = waiting = undefined;
    consent = false;
    return (stopping?.erase() ?? eraseUnsent(options, storage, debug, load)).then(() => {
      // The visitor may have opted in meanwhile.
      if (storage.read('consent') !== false) return;
      storage.clear();
      storage.write('consent', false);
    }, debug);
  };

  return {
    init: guard((options?: Options) => {
      if (started) return;
      const resolved = (started = resolve(options));
      waiting ??= [];
      // A prerendered page is not a visit until it is shown.
      if (!(document as { prerendering?: boolean }).prerendering) run(resolved);
      else document.addEventListener('prerenderingchange', () => { run(resolved); }, { once: true });
    }),
    track(name, data) {
      call((now) => { now.track(name, data); });
    },
    identify(userId, traits) {
      if (userId) call((now) => { now.identify(String(userId).slice(0, 255), traits); });
    },
    reset() {
      call((now) => { now.identify(); });
    },
    startRecording() {
      call((now) => { now.record(true); });
    },
    stopRecording() {
      call((now) => { now.record(false); });
    },
    optIn: guard(() => {
      consent = true;
      waiting ??= [];
      if (started) run(started);
      else openProjectStorage(resolve().project).write('consent', true);
    }),
    async optOut() {
      const options = started ?? resolve();
      const storage = openProjectStorage(options.project);
      storage.write('consent', false);
      await optOut(options, storage);
    },
    flush: async () => core?.flush(),
    screenshot: async () => core?.screenshot(),
    async stop() {
      const stopping = core;
      core = started = waiting = undefined;
      await stopping?.stop();
    },
    get sessionId() {
      return core?.sessionId ?? '';
    },
    get dropped() {
      return core?.dropped ?? 0;
    },
  };
}
