import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { initConsole } from '../src/console-calls';
import type { PartContext } from '../src/context';
import { describeElement } from '../src/describe-element';
import { initDoubleClicks } from '../src/double-clicks';
import type { EventFields } from '../src/event';
import { initFocus } from '../src/focus';
import { initForms } from '../src/forms';
import type { Teardown } from '../src/guard';
import { initInputs } from '../src/inputs';
import { initKeys } from '../src/keys';
import { MASK, watchSecrets } from '../src/mask';
import { initMouseMoves } from '../src/mouse-moves';
import { initNetwork } from '../src/network';
import type { ResolvedOptions } from '../src/options';
import { initPageTime } from '../src/page-time';
import { initResourceErrors } from '../src/resource-errors';
import { initScrolls } from '../src/scrolls';
import { type ListenDeep, watchShadowTrees } from '../src/shadow-trees';

// What needs a browser that draws, or trusted events (dead clicks, web vitals), is in tests/e2e/tag/.

let emitted: (EventFields & { event_type: string })[] = [];
let finishers: ((isGoing: boolean) => void)[] = [];
let navigate: (samePath: boolean) => void = () => undefined;
let teardowns: Teardown[] = [];
let options: Partial<ResolvedOptions> = {};
let context: PartContext;

const touch = vi.fn(() => '');
let shadows: ReturnType<typeof watchShadowTrees>;

const observe = (init: (context: PartContext, listenDeep: ListenDeep) => Teardown): void => {
  teardowns.push(init(context, shadows.listenDeep));
};
const field = (selector = 'input'): HTMLInputElement => {
  const element = document.querySelector<HTMLInputElement>(selector);
  if (!element) throw new Error(`no ${selector}`);
  return element;
};
const leave = (): void => {
  for (const finish of finishers) finish(true);
};
const data = (type: string): unknown[] => emitted.filter(({ event_type }) => event_type === type).map(({ event_data }) => event_data);
const type = (text: string, element = field()): void => {
  for (const letter of text) {
    element.dispatchEvent(new KeyboardEvent('keydown', { key: letter, bubbles: true }));
    element.value += letter;
    element.dispatchEvent(new Event('input', { bubbles: true }));
  }
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  document.body.innerHTML = '';
  emitted = [];
  finishers = [];
  options = {};
  const secrets = watchSecrets();
  context = {
    emit: (event_type, fields) => emitted.push({ event_type, ...fields }),
    secrets,
    beforeLeave(finish) {
      finishers.push(finish);
      return () => undefined;
    },
    describe: (target) => describeElement(target, secrets),
    selectorOf: (element) => element.localName,
    onNavigate(callback) {
      navigate = callback;
      return () => undefined;
    },
    isOwn: (url) => url.startsWith('https://t.example/'),
    session: { id: '', touch, onRenew: () => () => undefined },
    get options() {
      return options;
    },
  } as Partial<PartContext> as PartContext;
  shadows = watchShadowTrees();
  teardowns = [secrets.stop, shadows.teardown];
});
afterEach(() => {
  for (const teardown of teardowns) teardown();
  vi.useRealTimers();
});

describe('inputs', () => {
  test('a field is reported once, half a second after the last letter', () => {
    document.body.innerHTML = '<input name="city" data-unmask>';
    observe(initInputs);
    type('Porto');
    vi.advanceTimersByTime(499);
    expect(emitted).toHaveLength(0);
    vi.advanceTimersByTime(1);
    field().dispatchEvent(new Event('change', { bubbles: true }));
    expect(emitted.map(({ event_type, input_value, input_masked }) => [event_type, input_value, input_masked])).toEqual([['input', 'Porto', false]]);
  });

  test('the value of a field is masked unless the page or the project unmasks it', () => {
    document.body.innerHTML = '<input name="city"><input name="terms" type="checkbox">';
    observe(initInputs);
    observe(initKeys);
    type('Porto');
    vi.advanceTimersByTime(1_000);
    const box = field('[name="terms"]');
    box.checked = true;
    box.dispatchEvent(new Event('input', { bubbles: true }));
    vi.advanceTimersByTime(500);
    expect(emitted.map(({ input_value, input_masked, event_data }) => [input_value, input_masked, event_data])).toEqual([
      [MASK, true, undefined],
      [undefined, undefined, undefined],
      ['true', false, undefined],
    ]);
  });

  test('a card number in an unnamed field is masked while it is typed and afterwards', () => {
    document.body.innerHTML = '<input name="q" data-unmask>';
    observe(initInputs);
    for (const part of ['4242 42', '42 4242', ' 4242']) {
      type(part);
      vi.advanceTimersByTime(500);
    }
    field().value = 'later';
    type('!');
    vi.advanceTimersByTime(500);
    expect(emitted.map(({ input_value }) => input_value)).toEqual([undefined, undefined, MASK, MASK]);
  });

  test('a long number that is not a card number is sent when the field is left', () => {
    document.body.innerHTML = '<input name="order" data-unmask>';
    observe(initInputs);
    type('1234567');
    vi.advanceTimersByTime(500);
    field().dispatchEvent(new Event('change', { bubbles: true }));
    expect(emitted.map(({ event_type, input_value }) => [event_type, input_value])).toEqual([
      ['input', undefined],
      ['change', '1234567'],
    ]);
  });

  test('an unfinished value is sent before the page goes', () => {
    document.body.innerHTML = '<input name="city" data-unmask>';
    observe(initInputs);
    type('Por');
    for (const finish of finishers) finish(false);
    expect(emitted.map(({ input_value }) => input_value)).toEqual(['Por']);
  });
});

test('typing in a shadow tree is reported as secret, with the element of the tree', () => {
  const root = document.body.appendChild(document.createElement('x-box')).attachShadow({ mode: 'open' });
  root.innerHTML = '<input name="city">';
  observe(initInputs);
  const inner = root.querySelector('input');
  inner?.dispatchEvent(new Event('focusin', { bubbles: true, composed: true }));
  if (inner) inner.value = 'Porto';
  inner?.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
  // It does not leave the shadow tree.
  inner?.dispatchEvent(new Event('change', { bubbles: true }));
  expect(emitted.map(({ target_tag, input_value, input_masked }) => [target_tag, input_value, input_masked])).toEqual([['input', MASK, true]]);
});

describe('keys', () => {
  test('a run of printing keys is one char, named keys are reported by name', () => {
    document.body.innerHTML = '<input name="city" data-unmask>';
    observe(initKeys);
    type('Porto');
    field().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    for (const key of ['Shift', 'Process', 'Dead', 'é', 'hunter2']) field().dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    vi.advanceTimersByTime(1_000);
    expect(emitted.map(({ key_pressed, event_data }) => [key_pressed, event_data])).toEqual([
      ['char', { count: 5 }],
      ['Enter', undefined],
      ['char', { count: 4 }],
    ]);
  });

  test('the length of a secret is not sent', () => {
    document.body.innerHTML = '<input type="password">';
    observe(initKeys);
    type('hunter2');
    vi.advanceTimersByTime(1_000);
    expect(emitted.map(({ key_pressed, event_data }) => [key_pressed, event_data])).toEqual([['char', undefined]]);
  });
});

test('mouse moves are reported at most ten times a second', () => {
  const times: number[] = [];
  context.emit = () => times.push(Date.now());
  observe(initMouseMoves);
  for (let ms = 0; ms < 1_000; ms += 10) {
    document.dispatchEvent(new MouseEvent('mousemove', { clientX: ms }));
    vi.advanceTimersByTime(10);
  }
  expect(times.length).toBeGreaterThanOrEqual(10);
  for (const [i, time] of times.slice(1).entries()) expect(time - (times[i] ?? 0)).toBeGreaterThanOrEqual(100);
});

test('a page that scrolls by itself keeps no session alive, scrolling by the visitor does', () => {
  observe(initScrolls);
  touch.mockClear();
  document.dispatchEvent(new Event('scroll'));
  expect(touch).not.toHaveBeenCalled();
  document.body.dispatchEvent(new Event('touchmove', { bubbles: true }));
  vi.advanceTimersByTime(1_000);
  document.dispatchEvent(new Event('scroll'));
  expect(touch).toHaveBeenCalledExactlyOnceWith(true);
  vi.advanceTimersByTime(10_000);
  document.dispatchEvent(new Event('scroll'));
  expect(touch).toHaveBeenCalledOnce();
});

test('two boxes that scroll at the same time are both reported at their final positions', () => {
  document.body.innerHTML = '<ul></ul><ol></ol>';
  observe(initScrolls);
  for (const top of [10, 20, 30]) {
    for (const tag of ['ul', 'ol']) {
      const box = field(tag);
      box.scrollTop = top;
      box.dispatchEvent(new Event('scroll'));
    }
  }
  vi.advanceTimersByTime(1_000);
  for (const tag of ['ul', 'ol']) expect(emitted.filter(({ target_tag }) => target_tag === tag).map(({ scroll_y }) => scroll_y)).toEqual([10, 30]);
});

test('a double click is reported with its coordinates', () => {
  document.body.innerHTML = '<button>a</button>';
  observe(initDoubleClicks);
  field('button').dispatchEvent(new MouseEvent('dblclick', { clientX: 3, clientY: 4, bubbles: true }));
  expect(emitted).toMatchObject([{ event_type: 'dblclick', target_tag: 'button', viewport_x: 3, viewport_y: 4, click_count: 2 }]);
});

test('focus and blur are reported of a field, not of a button', () => {
  document.body.innerHTML = '<input name="city"><button>a</button>';
  observe(initFocus);
  field().focus();
  vi.advanceTimersByTime(1_200);
  field('button').focus();
  expect(emitted.map(({ event_type, event_data }) => [event_type, event_data])).toEqual([
    ['focus', undefined],
    ['blur', { duration_ms: 1_200 }],
  ]);
});

describe('page time', () => {
  let state = 'visible';
  const become = (now: string): void => {
    state = now;
    // The core calls these before the last batch of a hidden page.
    if (now === 'hidden') for (const finish of finishers) finish(false);
    document.dispatchEvent(new Event('visibilitychange'));
  };
  beforeEach(() => {
    state = 'visible';
    vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => state as DocumentVisibilityState);
  });

  test('only the time that a page is visible counts, and the pieces add up to it', () => {
    observe(initPageTime);
    vi.advanceTimersByTime(3_000);
    become('hidden');
    vi.advanceTimersByTime(60_000);
    become('visible');
    vi.advanceTimersByTime(2_000);
    become('hidden');
    expect(data('page_time')).toMatchObject([{ visible_ms: 3_000 }, { visible_ms: 2_000 }]);
  });

  test('each page of a single-page app has its own time', () => {
    history.replaceState(null, '', '/one');
    observe(initPageTime);
    vi.advanceTimersByTime(1_000);
    history.replaceState(null, '', '/one#part');
    navigate(true);
    vi.advanceTimersByTime(1_000);
    history.replaceState(null, '', '/two');
    navigate(false);
    vi.advanceTimersByTime(500);
    become('hidden');
    expect(emitted.map(({ page_url, event_data }) => [new URL(page_url ?? '').pathname, (event_data as { visible_ms: number }).visible_ms])).toEqual([
      ['/one', 2_000],
      ['/two', 500],
    ]);
  });
});

describe('forms', () => {
  const page = '<form id="f"><input name="city"><input type="password" name="pass"><input name="zip"><button>Go</button><button type="button">Ajax</button></form>';
  let onRequest: (method: string, keepalive: boolean) => void = () => undefined;
  beforeEach(() => {
    document.body.innerHTML = page;
    observe((given, listenDeep) => {
      const forms = initForms(given, listenDeep);
      onRequest = forms.onRequest;
      return forms.teardown;
    });
  });

  test('a form that is filled in and left is reported with the names of its fields, except secret ones', () => {
    type('Porto', field('[name=city]'));
    vi.advanceTimersByTime(4_000);
    type('hunter2', field('[name=pass]'));
    leave();
    expect(emitted).toMatchObject([{ event_type: 'form_abandon', target_selector: '#f', event_data: { fields: ['city'], field_count: 2, duration_ms: 4_000 } }]);
    expect(JSON.stringify(emitted)).not.toMatch(/Porto|hunter2|"pass"/);
    expect(data('form_abandon')[0]).not.toHaveProperty('last_field', expect.anything());
  });

  test('a submitted form is not abandoned', () => {
    type('Porto', field('[name=city]'));
    field('form').dispatchEvent(new Event('submit', { bubbles: true }));
    leave();
    expect(emitted.map(({ event_type }) => event_type)).toEqual(['submit']);
    expect(data('submit')).toMatchObject([{ method: 'get', fields: ['city'], last_field: 'city', field_count: 1 }]);
  });

  test('a form whose button submits it by a request is not abandoned, one that only looked something up is', () => {
    type('Porto', field('[name=city]'));
    onRequest('POST', false);
    field('[type=button]').click();
    onRequest('GET', false);
    navigate(true);
    navigate(false);
    expect(emitted.map(({ event_type }) => event_type)).toEqual(['form_abandon']);
    type('Porto', field('[name=city]'));
    field('[type=button]').click();
    onRequest('POST', false);
    navigate(false);
    expect(emitted).toHaveLength(1);
  });

  test('a form that is emptied, or never filled in, is not abandoned', () => {
    type('Porto', field('[name=city]'));
    (field('form') as unknown as HTMLFormElement).reset();
    leave();
    expect(emitted).toHaveLength(0);
  });
});

describe('requests', () => {
  let answer: () => Promise<Response>;
  let requests: [string, boolean][] = [];
  const own = (): Promise<Response> => answer();
  beforeEach(() => {
    requests = [];
    answer = () => Promise.resolve(new Response(null, { status: 200 }));
    vi.stubGlobal('fetch', own);
    observe((given) => initNetwork(given, (method, keepalive) => requests.push([method, keepalive])));
  });

  test('a response of 400 and more is reported without its query, and reaches the page', async () => {
    answer = () => Promise.resolve(new Response('body', { status: 503 }));
    const response = await fetch('https://api.example/cart?token=abc#x', { method: 'post' });
    expect(await response.text()).toBe('body');
    expect(data('request_failed')).toEqual([{ api: 'fetch', method: 'POST', url: 'https://api.example/cart', failure: 'status', status: 503, duration_ms: 0 }]);
  });

  test('a missing response is reported, and the page gets its own error', async () => {
    const error = new TypeError('Failed to fetch');
    answer = () => Promise.reject(error);
    await expect(fetch('/x')).rejects.toBe(error);
    expect(data('request_failed')).toMatchObject([{ method: 'GET', failure: 'network' }]);
  });

  test('aborted, successful and own requests are not reported', async () => {
    await fetch('/fine');
    answer = () => Promise.reject(new DOMException('x', 'AbortError'));
    await expect(fetch('/x')).rejects.toThrow();
    answer = () => Promise.resolve(new Response(null, { status: 500 }));
    await fetch('https://t.example/api/v1/track');
    expect(emitted).toHaveLength(0);
    expect(requests).toEqual([
      ['GET', false],
      ['GET', false],
    ]);
  });

  test('a request that fails in a loop is reported five times', async () => {
    answer = () => Promise.resolve(new Response(null, { status: 404 }));
    for (let i = 0; i < 20; i++) await fetch(`/x?n=${i}`);
    expect(emitted).toHaveLength(5);
  });

  test.each([undefined, Object.assign(Object.create({ then: () => 'theirs' }) as object, { abort: () => 'aborted' })])('the result of another wrapper stays unchanged: %o', (odd) => {
    answer = () => odd as unknown as Promise<Response>;
    expect(fetch('/x')).toBe(odd);
  });

  test('fetch and XMLHttpRequest are restored, unless another script has wrapped them afterwards', () => {
    const open = (): unknown => Reflect.get(XMLHttpRequest.prototype, 'open');
    const wrapped = { fetch: Reflect.get(window, 'fetch'), open: open() };
    teardowns.pop()?.();
    expect(Reflect.get(window, 'fetch')).toBe(own);
    expect(open()).not.toBe(wrapped.open);
    observe((given) => initNetwork(given, () => undefined));
    const theirs: typeof fetch = (...args) => wrapped.fetch(...args);
    window.fetch = theirs;
    teardowns.pop()?.();
    expect(Reflect.get(window, 'fetch')).toBe(theirs);
  });
});

describe('console', () => {
  const native = { error: console.error, warn: console.warn };
  const said: unknown[][] = [];
  beforeEach(() => {
    said.length = 0;
    console.error = (...words: unknown[]) => said.push(words);
    console.warn = (...words: unknown[]) => said.push(words);
  });
  afterEach(() => {
    Object.assign(console, native);
  });

  test('errors are reported as a console formats them, without the contents of objects', () => {
    options = { console: 'error' };
    observe(initConsole);
    console.error('%cno %s of %d', 'color: red', 'cart', 2, { token: 'abc' }, [1, 'abc'], new Error('gone'), document.body);
    console.warn('not reported');
    expect(data('console')).toMatchObject([{ level: 'error', message: 'no cart of 2 [object Object] [object Array] Error: gone <body>', stack: expect.stringContaining('gone') as unknown }]);
    expect(said).toHaveLength(2);
  });

  test('the option "all" reports all levels, except the messages of the tracker', () => {
    options = { console: 'all' };
    observe(initConsole);
    console.warn('slow');
    console.warn('tracker:', 'sent 3 events');
    expect(data('console')).toMatchObject([{ level: 'warn', message: 'slow' }]);
  });

  test('nothing is reported when the option is off, and the console is restored at the end', () => {
    const before = console.error;
    options = { console: false };
    observe(initConsole);
    expect(console.error).toBe(before);
    options = { console: 'error' };
    observe(initConsole);
    expect(console.error).not.toBe(before);
    teardowns.pop()?.();
    expect(console.error).toBe(before);
  });

  test('a script that watches the console while a call is reported causes no endless loop', () => {
    options = { console: 'error' };
    context.emit = (event_type, fields) => {
      emitted.push({ event_type, ...fields });
      console.error('again');
    };
    observe(initConsole);
    console.error('once');
    expect(data('console')).toMatchObject([{ message: 'once' }]);
  });
});

test('a resource that fails to load is reported without its query', () => {
  document.body.innerHTML = '<img src="https://cdn.example/x.png?token=1">';
  observe(initResourceErrors);
  field('img').dispatchEvent(new Event('error'));
  expect(emitted).toMatchObject([{ event_type: 'error', target_tag: 'img', event_data: { kind: 'resource', url: 'https://cdn.example/x.png' } }]);
});

test('a resource that failed before the part was loaded is reported, too', () => {
  vi.spyOn(performance, 'getEntriesByType').mockReturnValue([
    { name: 'https://cdn.example/a.css?v=1', initiatorType: 'link', responseStatus: 404 },
    { name: 'https://cdn.example/b.css', initiatorType: 'link', responseStatus: 200 },
    { name: 'https://cdn.example/api', initiatorType: 'fetch', responseStatus: 500 },
  ] as never);
  observe(initResourceErrors);
  expect(data('error')).toEqual([{ kind: 'resource', message: 'did not load: https://cdn.example/a.css', url: 'https://cdn.example/a.css' }]);
});
