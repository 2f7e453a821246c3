import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { initClicks } from '../src/clicks';
import { initErrors } from '../src/errors';
import { guard } from '../src/guard';
import { initInputs } from '../src/inputs';
import { initKeys } from '../src/keys';
import { MASK, watchSecrets } from '../src/mask';
import { initMoves } from '../src/moves';
import { initPages } from '../src/pages';
import type { Context, EventFields, Observer, Teardown } from '../src/types';

let told: (EventFields & { event_type: string })[] = [];
let finishers: (() => void)[] = [];
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
const type = (text: string, element = field()): void => {
  for (const letter of text) {
    element.dispatchEvent(new KeyboardEvent('keydown', { key: letter, bubbles: true }));
    element.value += letter;
    element.dispatchEvent(new Event('input', { bubbles: true }));
  }
};

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  finishers = [];
  const secrets = watchSecrets();
  context = {
    emit: (event_type, fields) => told.push({ event_type, ...fields }),
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

test('a failure of a callback does not reach its caller', () => {
  expect(
    guard(() => {
      throw new Error('ours');
    }),
  ).not.toThrow();
});

describe('inputs', () => {
  test('a field is told once, after half a second of rest', () => {
    document.body.innerHTML = '<input name="city">';
    observe(initInputs);
    type('Porto');
    vi.advanceTimersByTime(499);
    expect(told).toHaveLength(0);
    vi.advanceTimersByTime(1);
    field().dispatchEvent(new Event('change', { bubbles: true }));
    expect(told.map(({ event_type, input_value, input_masked }) => [event_type, input_value, input_masked])).toEqual([['input', 'Porto', false]]);
  });

  test('a card in a field of no name stays hidden while it is typed and for good', () => {
    document.body.innerHTML = '<input name="q">';
    observe(initInputs);
    for (const part of ['4242 42', '42 4242', ' 4242']) {
      type(part);
      vi.advanceTimersByTime(500);
    }
    field().value = 'later';
    type('!');
    vi.advanceTimersByTime(500);
    expect(told.map(({ input_value }) => input_value)).toEqual([undefined, undefined, MASK, MASK]);
  });

  test('a long number that turned out to be no card is told when the field is left', () => {
    document.body.innerHTML = '<input name="order">';
    observe(initInputs);
    type('1234567');
    vi.advanceTimersByTime(500);
    field().dispatchEvent(new Event('change', { bubbles: true }));
    expect(told.map(({ event_type, input_value }) => [event_type, input_value])).toEqual([
      ['input', undefined],
      ['change', '1234567'],
    ]);
  });

  test('what is being typed is told before the page goes', () => {
    document.body.innerHTML = '<input name="city">';
    observe(initInputs);
    type('Por');
    for (const finish of finishers) finish();
    expect(told.map(({ input_value }) => input_value)).toEqual(['Por']);
  });
});

describe('keys', () => {
  test('printing keys are one char a run, named keys are told by name', () => {
    document.body.innerHTML = '<input name="city">';
    observe(initKeys);
    type('Porto');
    field().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    for (const key of ['Shift', 'Process', 'Dead', 'é', 'hunter2']) field().dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    vi.advanceTimersByTime(1_000);
    expect(told.map(({ key_pressed, event_data }) => [key_pressed, event_data])).toEqual([
      ['char', { count: 5 }],
      ['Enter', undefined],
      ['char', { count: 4 }],
    ]);
  });

  test('the length of a secret is not told', () => {
    document.body.innerHTML = '<input type="password">';
    observe(initKeys);
    type('hunter2');
    vi.advanceTimersByTime(1_000);
    expect(told.map(({ key_pressed, event_data }) => [key_pressed, event_data])).toEqual([['char', undefined]]);
  });
});

describe('clicks', () => {
  const click = (x: number, selector = 'button'): void => {
    field(selector).dispatchEvent(new MouseEvent('click', { clientX: x, clientY: 5, bubbles: true }));
  };

  test('three in a second on one spot are rage, told once', () => {
    document.body.innerHTML = '<button>a</button>';
    observe(initClicks);
    for (const x of [10, 12, 20, 20, 20]) click(x);
    expect(told.filter(({ event_type }) => event_type === 'click')).toHaveLength(5);
    expect(told.filter(({ event_type }) => event_type === 'rage_click')).toHaveLength(1);
  });

  test('three on different spots or elements are not', () => {
    document.body.innerHTML = '<button>a</button><i>b</i>';
    observe(initClicks);
    for (const x of [10, 50, 90]) click(x);
    for (const selector of ['button', 'i', 'button']) click(90, selector);
    expect(told.filter(({ event_type }) => event_type === 'rage_click')).toHaveLength(0);
  });
});

test('mouse moves are told at most ten a second', () => {
  const times: number[] = [];
  context.emit = () => times.push(Date.now());
  observe(initMoves);
  for (let ms = 0; ms < 1_000; ms += 10) {
    document.dispatchEvent(new MouseEvent('mousemove', { clientX: ms }));
    vi.advanceTimersByTime(10);
  }
  expect(times.length).toBeGreaterThanOrEqual(10);
  for (const [i, time] of times.slice(1).entries()) expect(time - (times[i] ?? 0)).toBeGreaterThanOrEqual(100);
});

describe('pages', () => {
  const url = (): unknown => told.map(({ page_url }) => new URL(page_url ?? '').pathname + new URL(page_url ?? '').hash);

  test('each change of the URL is a page view, and only a change', () => {
    history.replaceState(null, '', '/a');
    observe((given) => initPages(given, () => undefined));
    history.pushState(null, '', '/b');
    history.replaceState({ scroll: 1 }, '', '/b');
    history.replaceState(null, '', '/c');
    expect(url()).toEqual(['/a', '/b', '/c']);
  });

  test('a failure of the page stays its own, and the patch goes when the tracker stops', () => {
    const before = Reflect.get(history, 'pushState') as unknown;
    const stop = initPages(context, () => undefined);
    expect(() => {
      history.pushState(null, '', 'https://elsewhere.example/');
    }).toThrow();
    stop();
    expect(Reflect.get(history, 'pushState')).toBe(before);
  });
});

describe('errors', () => {
  test('one in a loop is told five times', () => {
    observe(initErrors);
    for (let i = 0; i < 20; i++) window.dispatchEvent(new ErrorEvent('error', { message: 'again', error: new Error('again') }));
    expect(told).toHaveLength(5);
    expect(told[0]?.event_data).toMatchObject({ kind: 'error', message: 'again', name: 'Error' });
  });

  test('a resource that did not load is told without its query', () => {
    document.body.innerHTML = '<img src="/x.png?token=1">';
    observe(initErrors);
    field('img').dispatchEvent(new Event('error'));
    expect(told[0]).toMatchObject({ target_tag: 'img', event_data: { kind: 'resource', url: '/x.png' } });
  });

  test('anything may be thrown', () => {
    observe(initErrors);
    for (const reason of [undefined, null, 'text', 5, { message: 'like an error' }, Object.create(null)]) {
      window.dispatchEvent(Object.assign(new Event('unhandledrejection'), { reason: reason as unknown }));
    }
    expect(told.length).toBeGreaterThanOrEqual(5);
  });
});
