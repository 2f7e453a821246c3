import type { Context } from './context';
import { combineTeardowns, guard, listen, type Teardown } from './guard';

type Trigger = 'load' | 'push' | 'replace' | 'pop' | 'hash' | 'restore' | 'return';

export interface PageViews {
  /** The visitor came back to a page that had stayed open. */
  onReturn: () => void;
  stop: Teardown;
}

/** Emits page views: the first one, each change of the URL by a single-page app, and each return from the back/forward cache. */
export function initPageViews({ emit }: Pick<Context, 'emit'>, onPage: (samePath: boolean) => void, tab?: string): PageViews {
  let seen = '';
  const view = (trigger: Trigger): void => {
    const isBack = trigger === 'restore' || trigger === 'return';
    if (location.href === seen && !isBack) return;
    const previous = seen;
    seen = location.href;
    const isFirst = trigger === 'load';
    emit('pageview', {
      page_url: seen,
      event_data: { title: document.title.slice(0, 255), via: trigger, referrer: isFirst ? document.referrer : previous, tab, frame: window !== top || undefined },
    });
    if (!isFirst && trigger !== 'return') onPage(previous.split('#')[0] === seen.split('#')[0]);
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
    history[method] = patched;
    return () => {
      active = false;
      // Another script may have patched it afterwards: then this patch stays in the chain and does nothing.
      if (Reflect.get(history, method) === patched) history[method] = original;
    };
  };

  const stop = combineTeardowns([
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
    stop,
  };
}
