import type { Context } from './context';
import { combineTeardowns, guard, listen, type Teardown } from './guard';

type Way = 'load' | 'push' | 'replace' | 'pop' | 'hash' | 'restore' | 'return';

export interface PageViews {
  /** Somebody came back to a page that had stayed open. */
  onReturn: () => void;
  stop: Teardown;
}

/** Page views: the first, each change of the URL by a single-page app, and a page that comes back from the back/forward cache. */
export function initPageViews({ emit }: Pick<Context, 'emit'>, onPage: (samePath: boolean) => void, tab?: string): PageViews {
  let seen = '';
  const view = (way: Way): void => {
    const isBack = way === 'restore' || way === 'return';
    if (location.href === seen && !isBack) return;
    const previous = seen;
    seen = location.href;
    const fresh = way === 'load';
    emit('pageview', {
      page_url: seen,
      event_data: { title: document.title.slice(0, 255), via: way, referrer: fresh ? document.referrer : previous, tab, frame: window !== top || undefined },
    });
    if (!fresh && way !== 'return') onPage(previous.split('#')[0] === seen.split('#')[0]);
  };

  /** The page's own call comes first and its answer, or its exception, is the page's: only then do we look. */
  const patch = (method: 'pushState' | 'replaceState', way: Way): Teardown => {
    // Unbound: it is called on whatever the page calls it on.
    const original = Reflect.get(history, method) as History['pushState'];
    let active = true;
    const look = guard(() => {
      if (active) view(way);
    });
    const patched: typeof original = function (this: History, ...args) {
      original.apply(this, args);
      look();
    };
    history[method] = patched;
    return () => {
      active = false;
      // Somebody may have patched it after us; then ours stays in the chain and does nothing.
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
