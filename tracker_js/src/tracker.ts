import type { Options, Tracker } from './api.js';
import type { LoadPart } from './context';
import { type Core, forget, MAX_HELD, type DebugLog, startCore, type Wanted } from './core';
import { guard } from './guard';
import { type ProjectStorage, openProjectStorage } from './local-storage';

/** What an option says, also one from an attribute. */
const isOn = (value: unknown): boolean => value === '' || (Boolean(value) && value !== 'false');

/** The object that stands at `window.tracker`. Nothing in it throws, whatever it is given. */
export function createTracker(defaults: Options, load: LoadPart): Tracker {
  let core: Core | undefined;
  let started: Wanted | undefined;
  /** What was called before the start; undefined after a refusal or a stop, for then nothing is kept. */
  let waiting: ((core: Core) => void)[] | undefined = [];
  let consent: boolean | undefined;

  const resolve = (given?: Options): Wanted => {
    const { project, endpoint, ...wanted } = { ...defaults, ...given };
    return { ...wanted, project: project ?? '', endpoint: (endpoint ?? location.origin).replace(/\/+$/, '') };
  };
  const act = guard((call: (core: Core) => void): void => {
    if (core) call(core);
    else if (waiting && waiting.length < MAX_HELD) waiting.push(call);
  });
  const sayOf = ({ debug }: Wanted): DebugLog => (...said) => {
    if (isOn(debug)) console.info('tracker:', ...said);
  };
  const run = guard((wanted: Wanted): void => {
    const storage = openProjectStorage(wanted.project);
    const debug = sayOf(wanted);
    if (consent) storage.write('consent', true);
    else consent ??= storage.read('consent') as boolean | undefined;
    if (consent === false) {
      debug('not recorded: the visitor refused');
      void refuse(wanted, storage);
      return;
    }
    core ??= startCore(wanted, storage, consent ?? !isOn(wanted.consent), debug, load, () => void refuse(wanted, storage));
    if (consent) core.consent();
    for (const call of waiting?.splice(0) ?? []) act(call);
  });

  /** Here or in another tab. The session is forgotten last: where it is left, the next page knows that there is more to forget. */
  const refuse = (wanted: Wanted, storage: ProjectStorage): Promise<void> => {
    const refused = core;
    const debug = sayOf(wanted);
    core = waiting = undefined;
    consent = false;
    return (refused?.refuse() ?? forget(wanted, storage, debug, load)).then(() => {
      // The visitor may have agreed meanwhile.
      if (storage.read('consent') !== false) return;
      storage.clear();
      storage.write('consent', false);
    }, debug);
  };

  return {
    init: guard((options?: Options) => {
      if (started) return;
      const wanted = (started = resolve(options));
      waiting ??= [];
      // A page that is made ready before anybody asked for it is no visit yet.
      if (!(document as { prerendering?: boolean }).prerendering) run(wanted);
      else document.addEventListener('prerenderingchange', () => { run(wanted); }, { once: true });
    }),
    track(name, data) {
      act((now) => { now.track(name, data); });
    },
    identify(userId, traits) {
      if (userId) act((now) => { now.identify(String(userId).slice(0, 255), traits); });
    },
    reset() {
      act((now) => { now.identify(); });
    },
    startRecording() {
      act((now) => { now.record(true); });
    },
    stopRecording() {
      act((now) => { now.record(false); });
    },
    optIn: guard(() => {
      consent = true;
      waiting ??= [];
      if (started) run(started);
      else openProjectStorage(resolve().project).write('consent', true);
    }),
    async optOut() {
      const wanted = started ?? resolve();
      const storage = openProjectStorage(wanted.project);
      storage.write('consent', false);
      await refuse(wanted, storage);
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
