import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { initClicks } from '../src/clicks';
import type { Context, Observer } from '../src/context';
import { initErrors } from '../src/errors';
import type { EventFields } from '../src/event';
import { guard, type Teardown } from '../src/guard';
import { watchSecrets } from '../src/mask';
import { initPageViews } from '../src/page-views';

let emitted: (EventFields & { event_type: string })[] = [];
let finishers: ((isGoing: boolean) => void)[] = [];
let teardowns: Teardown[] = [];
let context: Context;

const observe = (init: Observer): void => {
  teardowns.push(init(context));
};
const field = (selector = 'input'): HTMLInputElement => {
  const element = document.querySelector<HTMLInputElement>(selector);
  if (!element) throw new Error(`no ${selector}`);
  return element;
};
beforeEach(() => {
  vi.useFakeTimers();
  emitted = [];
  finishers = [];
  const secrets = watchSecrets();
  context = {
    emit: (event_type, fields) => emitted.push({ event_type, ...fields }),
    secrets,
    beforeLeave(finish) {
      finishers.push(finish);
      return () => undefined;
    },
  };
  teardowns = [secrets.stop];
});
afterEach(() => {
  for (const teardown of teardowns) teardown();
  vi.useRealTimers();
});

test('an exception of a callback does not reach its caller', () => {
  expect(
    guard(() => {
      throw new Error('ours');
    }),
  ).not.toThrow();
});

describe('clicks', () => {
  const click = (x: number, selector = 'button'): void => {
    field(selector).dispatchEvent(new MouseEvent('click', { clientX: x, clientY: 5, bubbles: true }));
  };

  test('three within a second at one place are a rage click, reported once', () => {
    document.body.innerHTML = '<button>a</button>';
    observe(initClicks);
    for (const x of [10, 12, 20, 20, 20]) click(x);
    expect(emitted.filter(({ event_type }) => event_type === 'click')).toHaveLength(5);
    expect(emitted.filter(({ event_type }) => event_type === 'rage_click')).toHaveLength(1);
  });

  test('three at different places or elements are not', () => {
    document.body.innerHTML = '<button>a</button><i>b</i>';
    observe(initClicks);
    for (const x of [10, 50, 90]) click(x);
    for (const selector of ['button', 'i', 'button']) click(90, selector);
    expect(emitted.filter(({ event_type }) => event_type === 'rage_click')).toHaveLength(0);
  });
});

describe('pages', () => {
  const url = (): unknown => emitted.map(({ page_url }) => new URL(page_url ?? '').pathname + new URL(page_url ?? '').hash);

  const visit = (addresses: string[], countsAll?: boolean): boolean[] => {
    const same: boolean[] = [];
    history.replaceState(null, '', '/a');
    const { settle, stop } = initPageViews(context, (samePage) => same.push(samePage), undefined, countsAll);
    teardowns.push(stop);
    addresses.forEach((address, i) => {
      if (i % 2) history.pushState(null, '', address);
      else history.replaceState({ scroll: 1 }, '', address);
    });
    settle();
    return same;
  };

  test('each change of the path is a page view, and only that', () => {
    const same = visit(['/b', '/b', '/b?size=2', '/b?size=3&colour=red#top', '/b#end', '/c/', '/c?x=/d#e/f']);
    expect(url()).toEqual(['/a', '/b', '/c/', '/c#e/f']);
    expect(same).toEqual([false, true, true, true, false, false]);
  });

  test('so is each route in the fragment', () => {
    visit(['/a#/', '/a#/cart', '/a#/cart?step=2', '/a#!home', '/a#!/home', '/a#']);
    expect(url()).toEqual(['/a', '/a#/cart', '/a#!home', '/a']);
  });

  test('each change of the URL is one where the page wants that', () => {
    visit(['/b', '/b', '/b#top', '/b?size=2'], true);
    expect(url()).toEqual(['/a', '/b', '/b#top', '/b']);
  });

  test('a view has the title that the route sets, and its own time and URL', () => {
    document.title = 'A';
    history.replaceState(null, '', '/a');
    const times = ['1', '2', '3', '4'];
    const { settle, stop } = initPageViews(context, () => undefined, { id: 'x', timestamp: () => times.shift() ?? '' });
    teardowns.push(stop);
    history.pushState(null, '', '/b');
    vi.advanceTimersByTime(600);
    expect(emitted).toHaveLength(1);
    document.title = 'B';
    vi.advanceTimersByTime(250);
    history.pushState(null, '', '/c');
    history.replaceState(null, '', '/c?filter=1');
    vi.advanceTimersByTime(10_000);
    history.pushState(null, '', '/d');
    document.title = 'D';
    settle();
    vi.advanceTimersByTime(10_000);
    const views = emitted.map(({ timestamp, page_url, event_data }) => [timestamp, new URL(page_url ?? '').pathname, (event_data as { title: string }).title]);
    expect(views).toEqual([['1', '/a', 'A'], ['2', '/b', 'B'], ['3', '/c', 'B'], ['4', '/d', 'D']]);
  });

  test('a frozen history stays as it is, and views are recorded as far as the browser tells of them', () => {
    const navigation = new EventTarget();
    vi.stubGlobal('navigation', navigation);
    const pushState: unknown = Reflect.get(history, 'pushState');
    Object.defineProperty(history, 'pushState', { value: pushState, writable: false, configurable: true });
    history.replaceState(null, '', '/a');
    const { settle, stop } = initPageViews(context, () => undefined);
    history.pushState(null, '', '/b');
    navigation.dispatchEvent(new Event('currententrychange'));
    settle();
    stop();
    Reflect.deleteProperty(history, 'pushState');
    vi.unstubAllGlobals();
    expect(url()).toEqual(['/a', '/b']);
  });

  test('an exception of the page stays its own, and the patch is removed when the tracker stops', () => {
    const before = Reflect.get(history, 'pushState') as unknown;
    const { stop } = initPageViews(context, () => undefined);
    expect(() => {
      history.pushState(null, '', 'https://elsewhere.example/');
    }).toThrow();
    stop();
    expect(Reflect.get(history, 'pushState')).toBe(before);
  });
});

describe('errors', () => {
  test('an error in a loop is reported five times', () => {
    observe(initErrors);
    for (let i = 0; i < 20; i++) window.dispatchEvent(new ErrorEvent('error', { message: 'again', error: new Error('again') }));
    expect(emitted).toHaveLength(5);
    expect(emitted[0]?.event_data).toMatchObject({ kind: 'error', message: 'again', name: 'Error' });
  });

  test('anything may be thrown', () => {
    observe(initErrors);
    for (const reason of [undefined, null, 'text', 5, { message: 'like an error' }, Object.create(null)]) {
      window.dispatchEvent(Object.assign(new Event('unhandledrejection'), { reason: reason as unknown }));
    }
    expect(emitted.length).toBeGreaterThanOrEqual(5);
  });
});
