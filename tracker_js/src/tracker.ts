import type { Context, EventFields, Options, Teardown, Tracker } from './types';
import type { Capture } from './screenshots';
import { initClicks } from './clicks';
import { initErrors } from './errors';
import { all, guard, listen } from './guard';
import { initInputs } from './inputs';
import { initKeys } from './keys';
import { watchSecrets } from './mask';
import { initMoves } from './moves';
import { createOutbox, type Item } from './outbox';
import { initPages } from './pages';
import { createQueue } from './queue';
import { initResize } from './resize';
import { initScreenshots } from './screenshots';
import { initScrolls } from './scrolls';
import { createSession } from './session';
import { createTransport } from './transport';
import { initVisibility } from './visibility';

/** All observers but the pages, which come last: their first event needs the others in place. */
const OBSERVERS = [initClicks, initMoves, initScrolls, initInputs, initKeys, initErrors, initResize, initVisibility];
/** These happen by themselves and do not keep a visit alive. */
const PASSIVE = /^(error|resize|visibility)$/;
/** 100 batches of 50: about 2 MB at most in a page whose server is away. */
const MAX_BATCHES = 100;
const MAX_IMAGES = 3;

interface Running {
  emit: Context['emit'];
  identify: (userId: string) => void;
  flush: () => Promise<void>;
  screenshot: () => Promise<void>;
  stop: () => Promise<void>;
  readonly sessionId: string;
  readonly dropped: number;
}

function start(options: Required<Options>, loadCapture: () => Promise<Capture>): Running {
  const { endpoint, project } = options;
  const teardowns: Teardown[] = [];
  const stopAll = all(teardowns);

  const session = createSession(project);
  const transport = createTransport(endpoint, project);
  const outbox = createOutbox(transport, MAX_BATCHES, stopAll);
  // A lane of their own: an image of a megabyte must not hold up the events behind it.
  const images = createOutbox(transport, MAX_IMAGES, stopAll);
  const queue = createQueue(outbox);
  const secrets = watchSecrets();
  const finishers = new Set<() => void>();

  const startSession = (): Item => {
    const { id, user } = session;
    const fields = {
      session_id: id,
      user_id: user,
      page_url: location.href,
      referrer: document.referrer,
      screen_width: screen.width,
      screen_height: screen.height,
      viewport_width: innerWidth,
      viewport_height: innerHeight,
      language: navigator.language,
      metadata: {
        language: navigator.language,
        timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        pixel_ratio: devicePixelRatio,
      },
    };
    return {
      path: '/sessions',
      events: 0,
      body: () => JSON.stringify(fields),
      onStored: () => {
        session.markStarted(id);
      },
    };
  };

  const scrubValue = (_: string, value: unknown): unknown => (typeof value === 'string' ? secrets.scrub(value) : value);
  /** A secret that the page itself puts into a message or a URL is taken out here, the one way that all events go. */
  const toJson = (type: string, fields: EventFields): string => {
    const { page_url: url = location.href, event_data: data, ...rest } = fields;
    const query = url.search(/[?#]/);
    return JSON.stringify({
      timestamp: new Date().toISOString(),
      event_type: type,
      page_url: query < 0 ? url : url.slice(0, query) + secrets.scrub(url.slice(query)),
      ...rest,
      event_data: data === undefined ? data : (JSON.parse(JSON.stringify(data, scrubValue)) as unknown),
    });
  };

  let told: string | undefined;
  const emit = guard((type: string, fields: EventFields = {}) => {
    const id = session.touch(!PASSIVE.test(type));
    if (id !== told) {
      const renewed = told !== undefined;
      told = id;
      queue.cut();
      if (!session.started) outbox.add(startSession());
      // A visit begins with a page view, also one that begins with a click on a page left open over lunch.
      if (renewed && type !== 'pageview') {
        emit('pageview', { event_data: { title: document.title.slice(0, 255), via: 'return' } });
        shots?.onPage();
      }
    }
    queue.push(id, toJson(type, fields));
  });

  const leave = guard(() => {
    outbox.leave(
      guard(() => {
        for (const finish of finishers) guard(finish)();
        queue.cut();
      }),
    );
    images.leave();
    session.save();
  });

  const context: Context = {
    emit,
    secrets,
    beforeLeave(finish) {
      finishers.add(finish);
      return () => finishers.delete(finish);
    },
  };

  const shots = options.screenshots
    ? initScreenshots(secrets, loadCapture, (shot, pageUrl, timestamp) => {
        const body = JSON.stringify({ session_id: session.touch(false), page_url: pageUrl, timestamp, ...shot });
        images.add({ path: '/track/screenshot', events: 0, body: () => body });
      })
    : undefined;
  if (shots) teardowns.push(shots.teardown);

  teardowns.push(() => {
    secrets.stop();
  });
  for (const init of OBSERVERS) {
    guard(() => {
      teardowns.push(init(context));
    })();
  }
  teardowns.push(
    initPages(context, (samePath) => {
      if (!samePath) shots?.onPage();
    }),
    // After the observers', so that the last batch holds what they said about leaving.
    listen(document, 'visibilitychange', () => {
      if (document.visibilityState === 'hidden') leave();
    }),
    listen(window, 'pagehide', leave),
  );

  const flush = async (): Promise<void> => {
    queue.cut();
    await Promise.all([outbox.settled(), images.settled()]);
  };
  return {
    emit,
    flush,
    identify: guard((userId: string) => {
      session.user = userId;
      outbox.add(startSession());
    }),
    screenshot: async () => shots?.take(),
    stop() {
      for (const finish of finishers) guard(finish)();
      stopAll();
      return flush();
    },
    get sessionId() {
      return session.id;
    },
    get dropped() {
      return outbox.dropped;
    },
  };
}

/** The object that stands at `window.tracker`. Nothing in it throws, whatever it is given. */
export function createTracker(defaults: Options, loadCapture: () => Promise<Capture>): Tracker {
  let running: Running | undefined;
  return {
    init: guard((options: Options = {}) => {
      running ??= start(
        {
          project: options.project ?? defaults.project ?? '',
          endpoint: (options.endpoint ?? defaults.endpoint ?? location.origin).replace(/\/+$/, ''),
          screenshots: options.screenshots ?? defaults.screenshots ?? true,
        },
        loadCapture,
      );
    }),
    track: guard((name: string, data?: unknown) => {
      running?.emit('custom', { event_data: { name, data } });
    }),
    identify: guard((userId: string) => {
      running?.identify(userId);
    }),
    flush: async () => running?.flush(),
    screenshot: async () => running?.screenshot(),
    stop: async () => {
      const stopping = running;
      running = undefined;
      await stopping?.stop();
    },
    get sessionId() {
      return running?.sessionId ?? '';
    },
    get dropped() {
      return running?.dropped ?? 0;
    },
  };
}
