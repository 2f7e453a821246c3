import type { Options } from './api.js';
import { type Config, DEFAULT_CONFIG, fetchConfig } from './config';
import type { PartContext } from './context';
import { describeElement } from './describe-element';
import type { EventFields } from './event';
import type { Teardown } from './guard';
import type { ProjectStorage } from './local-storage';
import { watchSecrets } from './mask';
import { resolveOptions } from './options';
import { selectorOf } from './selector';

/** Without the project's rules by then, events are masked by the defaults and saved on disk: a page may be gone within a second. */
const PROVISIONAL_AFTER_MS = 250;
/** Without the project's rules by then, events are sent and the parts run. The server applies its rules itself. */
const ASSUME_AFTER_MS = 3_000;
/** At most this many events are masked again once the server has sent its rules. */
const MAX_EARLY_EVENTS = 1_000;

/** The project's rules, as far as they are known: whom to track, and what to mask. */
export interface Policy {
  /** The functions that parts use. */
  readonly tools: Pick<PartContext, 'options' | 'secrets' | 'describe' | 'selectorOf' | 'isOwn'>;
  readonly config: Config;
  /** The rules are final: from the server, cached by an earlier page, or assumed because the server does not answer. */
  readonly isFinal: boolean;
  /** The visitor's browser sends a privacy signal (GPC, DNT) that the project honours. */
  isOptedOut: () => boolean;
  /** Whether the project's sampling includes a session. */
  isSampled: (sessionId: string) => boolean;
  /** Returns an event as JSON, masked. */
  serialize: (type: string, fields: EventFields, target?: EventTarget | null) => string;
  /** Masks events in `text` that `serialize` has written, by the rules that became known afterwards. */
  remask: (text: string) => string;
  /** Returns the body of the request that starts a session. */
  serializeSession: (sessionId: string, user?: string, traits?: Record<string, unknown>) => string;
  stop: Teardown;
}

export interface PolicyOptions extends Pick<PartContext, 'load' | 'debug' | 'fetch' | 'json'> {
  given: Options;
  storage: ProjectStorage;
  /** Called, never synchronously, when rules are known or assumed, and when they change. */
  onChange: () => void;
}

/** Fetches the project's rules and masks events by them. */
export function createPolicy({ given, storage, load, debug, fetch, json, onChange }: PolicyOptions): Policy {
  const { parse, toJson } = json;
  const options = resolveOptions(given);
  const secrets = watchSecrets();
  let config = DEFAULT_CONFIG;
  let isFinal = false;
  let isStopped = false;
  let isRecorded: ((projectId: number, sessionId: string, rate: number) => boolean) | undefined;
  /** Events that were written before the server has sent its rules. Undefined once it has, or will not. */
  let earlyEvents: string[] | undefined = [];
  /** Those of them that the rules change, before and after. */
  let remasked: [before: string, after: string][] = [];

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
      describe: (target) => describeElement(target, secrets),
      isOwn: (url) => ['/api/v1/', '/tracker'].some((path) => url.startsWith(options.endpoint + path)),
    },
    get config() {
      return config;
    },
    get isFinal() {
      return isFinal;
    },
    isOptedOut: () =>
      (config.honour_gpc && (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl === true) ||
      ((options.respectDnt ?? config.honour_dnt) && navigator.doNotTrack === '1'),
    isSampled: (sessionId) => config.sampling_rate >= 1 || (config.sampling_rate > 0 && (isRecorded?.(config.project_id, sessionId, config.sampling_rate) ?? true)),
    serialize(type, { timestamp, page_url: url = location.href, event_data: data, ...rest }, target) {
      const text = toJson({ timestamp, event_type: type, page_url: secrets.url(url), ...(target && describeElement(target, secrets)), ...rest });
      const masked = data === undefined ? undefined : toJson(data, scrub);
      const event = masked === undefined ? text : `${text.slice(0, -1)},"event_data":${masked}}`;
      if (earlyEvents && earlyEvents.length < MAX_EARLY_EVENTS) earlyEvents.push(event);
      return event;
    },
    remask(text) {
      for (const [before, after] of remasked) text = text.replace(before, () => after);
      return text;
    },
    serializeSession(sessionId, user, traits) {
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
          // A label, so that readers can exclude automated visits.
          webdriver: navigator.webdriver || undefined,
        },
      });
    },
    stop() {
      isStopped = true;
      clearTimeout(provisionalTimer);
      clearTimeout(assumeTimer);
      secrets.stop();
    },
  };

  const apply = async (newConfig: Config, isFromServer?: boolean): Promise<void> => {
    if (newConfig.sampling_rate > 0 && newConfig.sampling_rate < 1 && !isRecorded) {
      try {
        ({ isRecorded } = (await load('sampling')) as { isRecorded: typeof isRecorded });
      } catch (error) {
        // The server samples, too.
        debug('no sampling:', error);
      }
    }
    if (isStopped) return;
    try {
      secrets.apply(newConfig.masking);
      config = newConfig;
      if (earlyEvents) remasked = earlyEvents.map((before): [string, string] => [before, rewrite(before)]).filter(([before, after]) => after !== before);
    } catch (error) {
      // The response is not a configuration.
      debug('no configuration:', error);
    }
    isFinal = true;
    if (isFromServer) earlyEvents = undefined;
    onChange();
  };
  const cached = storage.read('config') as Config | undefined;
  // Asynchronously: the caller of `createPolicy` does not have the policy yet.
  if (cached?.masking) void Promise.resolve(cached).then(apply);
  const assume = (): void => {
    if (!isFinal) void apply(config);
  };
  const provisionalTimer = setTimeout(() => {
    if (!isFinal) onChange();
  }, PROVISIONAL_AFTER_MS);
  const assumeTimer = setTimeout(assume, ASSUME_AFTER_MS);
  fetchConfig({ fetch, json }, options.endpoint, options.project).then(
    (newConfig) => {
      if (isStopped) return;
      storage.write('config', newConfig);
      void apply(newConfig, true);
    },
    (error: unknown) => {
      debug('no configuration:', error);
      earlyEvents = undefined;
      assume();
    },
  );
  return policy;
}
