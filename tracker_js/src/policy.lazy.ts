import type { Options } from './api.js';
import { type Config, DEFAULT_CONFIG, fetchConfig } from './config';
import type { PartContext } from './context';
import { describe } from './describe-element';
import type { EventFields } from './event';
import type { Teardown } from './guard';
import type { ProjectStorage } from './local-storage';
import { watchSecrets } from './mask';
import { resolveOptions } from './options';
import { selectorOf } from './selector';

/** A server that has not said in this time how to record is not waited for with what is written down here: a page may be gone in a second. */
const SOON_MS = 250;
/** Nor with what is sent, and with what parts observe. It applies its rules itself to all that it gets. */
const LATE_MS = 3_000;
/** Events that are looked at once more when the server has said what is a secret. */
const MAX_EARLY = 1_000;

/** What the core asks before anything is told. */
export interface Policy {
  /** What parts get of the policy. */
  readonly tools: Pick<PartContext, 'options' | 'secrets' | 'describe' | 'selectorOf' | 'isOwn'>;
  readonly config: Config;
  /** The server has said how to record, now or to an earlier page, or does not answer. */
  readonly isCertain: boolean;
  /** The visitor's browser asks not to be recorded, and the project heeds that. */
  objects: () => boolean;
  /** Whether a session is of the share that the project records. */
  tells: (sessionId: string) => boolean;
  /** An event as JSON, without any secret. */
  write: (type: string, fields: EventFields, target?: EventTarget | null) => string;
  /** A text with events of `write` in it, by the rules that became known behind them. */
  remask: (text: string) => string;
  /** The body of the call that begins a session. */
  begin: (sessionId: string, user?: string, traits?: Record<string, unknown>) => string;
  stop: Teardown;
}

export interface PolicyOptions extends Pick<PartContext, 'load' | 'debug' | 'fetch' | 'json'> {
  wanted: Options;
  storage: ProjectStorage;
  /** Called when something is known, or assumed, about how to record, and again when that changes; never at once. */
  onKnown: () => void;
}

/** How the page is recorded. */
export function createPolicy({ wanted, storage, load, debug, fetch, json, onKnown }: PolicyOptions): Policy {
  const { parse, toJson } = json;
  const options = resolveOptions(wanted);
  const secrets = watchSecrets();
  let config = DEFAULT_CONFIG;
  let isCertain = false;
  let isStopped = false;
  let isRecorded: ((projectId: number, sessionId: string, rate: number) => boolean) | undefined;
  /** Written before the server has said what is a secret; undefined once it has, or will not. */
  let early: string[] | undefined = [];
  /** Those of them that hold one, and what is sent in their place. */
  let remasked: [was: string, now: string][] = [];

  const scrub = (_: string, value: unknown): unknown => (typeof value === 'string' ? secrets.scrub(value) : value);
  const rewrite = (text: string): string => {
    const event = parse(text) as EventFields;
    const { page_url: url = '', target_element, input_value, event_data } = event;
    return toJson({ ...event, page_url: secrets.url(url), ...(parse(toJson({ target_element, input_value, event_data }, scrub)) as EventFields) });
  };
  const policy: Policy = {
    tools: {
      options,
      secrets,
      selectorOf,
      describe: (target) => describe(target, secrets),
      isOwn: (url) => ['/api/v1/', '/tracker'].some((path) => url.startsWith(options.endpoint + path)),
    },
    get config() {
      return config;
    },
    get isCertain() {
      return isCertain;
    },
    objects: () =>
      (config.honour_gpc && (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl === true) ||
      ((options.respectDnt ?? config.honour_dnt) && navigator.doNotTrack === '1'),
    tells: (sessionId) => config.sampling_rate >= 1 || (config.sampling_rate > 0 && (isRecorded?.(config.project_id, sessionId, config.sampling_rate) ?? true)),
    write(type, { timestamp, page_url: url = location.href, event_data: data, ...rest }, target) {
      const text = toJson({ timestamp, event_type: type, page_url: secrets.url(url), ...(target && describe(target, secrets)), ...rest });
      const told = data === undefined ? undefined : toJson(data, scrub);
      const event = told === undefined ? text : `${text.slice(0, -1)},"event_data":${told}}`;
      if (early && early.length < MAX_EARLY) early.push(event);
      return event;
    },
    remask: (text) => remasked.reduce((text, [was, now]) => text.replace(was, () => now), text),
    begin(sessionId, user, traits) {
      return toJson({
        session_id: sessionId,
        user_id: user,
        page_url: secrets.url(location.href),
        referrer: secrets.url(document.referrer),
        screen_width: screen.width,
        screen_height: screen.height,
        viewport_width: innerWidth,
        viewport_height: innerHeight,
        language: navigator.language,
        metadata: {
          ...(traits && (parse(toJson(traits, scrub)) as object)),
          language: navigator.language,
          timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
          pixel_ratio: devicePixelRatio,
          // A label, so that whoever reads can leave out what a program did.
          webdriver: navigator.webdriver || undefined,
        },
      });
    },
    stop() {
      isStopped = true;
      clearTimeout(soon);
      clearTimeout(late);
      secrets.stop();
    },
  };

  const know = async (known: Config, said?: boolean): Promise<void> => {
    if (known.sampling_rate > 0 && known.sampling_rate < 1 && !isRecorded) {
      try {
        ({ isRecorded } = (await load('sampling')) as { isRecorded: typeof isRecorded });
      } catch (error) {
        // The server knows it, too.
        debug('no sampling:', error);
      }
    }
    if (isStopped) return;
    try {
      secrets.apply(known.masking);
      config = known;
      if (early) remasked = early.map((was): [string, string] => [was, rewrite(was)]).filter(([was, now]) => now !== was);
    } catch (error) {
      // What does not look like a configuration is none.
      debug('no configuration:', error);
    }
    isCertain = true;
    if (said) early = undefined;
    onKnown();
  };
  const cached = storage.read('config') as Config | undefined;
  // Not within this call: whoever made us does not have us yet.
  if (cached?.masking) void Promise.resolve(cached).then(know);
  const assume = (): void => {
    if (!isCertain) void know(config);
  };
  const soon = setTimeout(() => {
    if (!isCertain) onKnown();
  }, SOON_MS);
  const late = setTimeout(assume, LATE_MS);
  fetchConfig({ fetch, json }, options.endpoint, options.project).then(
    (known) => {
      if (isStopped) return;
      storage.write('config', known);
      void know(known, true);
    },
    (error: unknown) => {
      debug('no configuration:', error);
      early = undefined;
      assume();
    },
  );
  return policy;
}
