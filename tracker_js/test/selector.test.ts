import { beforeEach, expect, test } from 'vitest';
import { selectorOf } from '../src/selector';

const pick = (selector: string): Element => {
  const element = document.querySelector(selector);
  if (!element) throw new Error(`no ${selector}`);
  return element;
};

beforeEach(() => {
  // jsdom has no CSS.escape; names that need none do here.
  document.body.innerHTML = '';
});

test('a test id comes before an id, and an id before a path', () => {
  document.body.innerHTML = '<button id="buy" data-testid="add">x</button><button id="keep">y</button>';
  expect(selectorOf(pick('[data-testid]'))).toBe('[data-testid="add"]');
  expect(selectorOf(pick('#keep'))).toBe('#keep');
});

test('an id that a framework made at run time is not used', () => {
  document.body.innerHTML = '<main id="shop"><input id=":r1:"><input id="radix-2"><input id="f81d4fae"></main>';
  for (const input of document.querySelectorAll('input')) expect(selectorOf(input)).toMatch(/^#shop > input:nth-of-type\(\d\)$/);
});

test('a name that stands on several elements is completed from its ancestors', () => {
  document.body.innerHTML = '<ul id="list"><li><b data-testid="x">1</b></li><li><b data-testid="x">2</b></li></ul>';
  const second = pick('li:nth-of-type(2) b');
  expect(selectorOf(second)).toBe('#list > li:nth-of-type(2) > b');
});

test('a quote in a test id does not break out of the selector', () => {
  const button = document.createElement('button');
  button.setAttribute('data-testid', 'a"]b\\');
  document.body.append(button);
  const selector = selectorOf(button);
  expect(document.querySelectorAll(selector ?? '')).toHaveLength(1);
  expect(document.querySelector(selector ?? '')).toBe(button);
});

test('every element of a page gets a selector that finds it alone', () => {
  document.body.innerHTML = `
    <div><p>1</p><p>2</p><div><p>3</p><svg><g><path/><path/></g></svg></div></div>
    <div><p>4</p><p>5</p><div><p>6</p></div></div><my-box><p>7</p></my-box><form><input name="id"></form>`;
  for (const element of document.querySelectorAll('*')) {
    const selector = selectorOf(element);
    expect(selector, element.outerHTML).toBeDefined();
    expect([...document.querySelectorAll(selector ?? '')], selector).toEqual([element]);
  }
});

test('an element that is no longer in the page has none', () => {
  expect(selectorOf(document.createElement('p'))).toBeUndefined();
});
