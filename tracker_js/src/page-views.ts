import type { Context } from './context';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import type { Tab } from './tab';

type Trigger = 'load' | 'push' | 'replace' | 'pop' | 'hash' | 'restore' | 'return';

export interface PageViews {
  /** The visitor came back to a page that had stayed open. */
  onReturn: () => void;
  /** Emits a view that still waits for its title. */
  settle: () => void;
  stop: Teardown;
}

/** A single-page app changes its title after its URL: a view waits for that, and keeps its own time. */
const TITLE_STEP_MS = 250;
const TITLE_STEPS = 8;

/** Returns what makes an address another page: its path, and the route of a site that has it in the fragment (`#/cart`, `#!cart`). */
export const pageOf = (url: string): string => `${url.replace(/[?#].*/s, '')}#${/#(?:!\/?|\/)([^?]+)/.exec(url)?.[1] ?? ''}`;

/** Emits page views: the first one, each change of the page (with `countsAll`, of the URL) by a single-page app, and each return from the back/forward cache. */
export function initPageViews({ emit }: Pick<Context, 'emit'>, onPage: (samePage: boolean) => void, tab?: Pick<Tab, 'id' | 'timestamp'>, countsAll?: boolean): PageViews {
  let seen = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: (() => void) | undefined;
  const settle = (): void => {
    clearTimeout(timer);
    const emitWaiting = waiting;
    waiting = undefined;
    emitWaiting?.();
  };
  const awaitTitle = (before: string, steps: number): void => {
    timer = setTimeout(guard(() => {
      if (document.title !== before || steps === 0) settle();
      else awaitTitle(before, steps - 1);
    }), TITLE_STEP_MS);
  };
  const view = (trigger: Trigger): void => {
    const isBack = trigger === 'restore' || trigger === 'return';
    const { href } = location;
    if (href === seen && !isBack) return;
    const previous = seen;
    seen = href;
    const isOther = countsAll ? href !== previous : pageOf(href) !== pageOf(previous);
    const isFirst = trigger === 'load';
    if (isOther || isBack) {
      settle();
      const timestamp = tab && { timestamp: tab.timestamp() };
      waiting = () => {
        emit('pageview', {
          ...timestamp,
          page_url: href,
          event_data: { title: document.title.slice(0, 255), via: trigger, referrer: isFirst ? document.referrer : previous, tab: tab?.id, frame: window !== top || undefined },
        });
      };
      if (isFirst || isBack) settle();
      else awaitTitle(document.title, TITLE_STEPS);
    }
    if (!isFirst && trigger !== 'return') onPage(!isOther);
  };

  /** The page's own call runs first, and its result or exception reaches the page. */
  const patch = (method: 'pushState' | 'replaceState', trigger: Trigger): Teardown => {
    // Unbound, since the page may call it on any object.
    const original = Reflect.get(history, method) as History['pushState'];
    let active = true;
    const checkUrl = guard(() => {
      if (active) view(trigger);
    });
    const patched: typeof original = function (this: History, ...args) {
      original.apply(this, args);
      checkUrl();
    };
    try {
      history[method] = patched;
    } catch {
      // The page has frozen it. Chromium tells of new addresses nevertheless.
      const { navigation } = window as { navigation?: EventTarget };
      return navigation ? listen(navigation, 'currententrychange' as 'change', checkUrl) : () => undefined;
    }
    return () => {
      active = false;
      // Another script may have patched it afterwards: then this patch stays in the chain and does nothing.
      if (Reflect.get(history, method) === patched) history[method] = original;
    };
  };

  const stop = combineTeardowns([
    () => {
      clearTimeout(timer);
    },
    patch('pushState', 'push'),
    patch('replaceState', 'replace'),
    listen(window, 'popstate', () => {
      view('pop');
    }),
    listen(window, 'hashchange', () => {
      view('hash');
    }),
    listen(window, 'pageshow', (event: PageTransitionEvent) => {
      if (event.persisted) view('restore');
    }),
  ]);
  view('load');
  return {
    onReturn() {
      view('return');
    },
    settle,
    stop,
  };
}
