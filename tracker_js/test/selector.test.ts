import { beforeEach, expect, test } from 'vitest';
import { selectorOf } from '../src/selector';

// Shadow trees, and a thousand elements of real pages, are tested in a real Chromium: tests/e2e/tag/.

const pick = (selector: string): Element => {
  const element = document.querySelector(selector);
  if (!element) throw new Error(`no ${selector}`);
  return element;
};

beforeEach(() => {
  document.body.innerHTML = '';
});

test('a test id is preferred to an id, an id to a name, and these to a path', () => {
  document.body.innerHTML = '<button id="buy" data-testid="add">x</button><input id="keep" name="q"><input name="city">';
  expect(selectorOf(pick('[data-testid]'))).toBe('[data-testid="add"]');
  expect(selectorOf(pick('#keep'))).toBe('#keep');
  expect(selectorOf(pick('[name="city"]'))).toBe('[name="city"]');
});

test('an id that was made at run time is not used', () => {
  const ids = [':r1:', '_r_1_', '«r2»', 'radix-2', 'f81d4fae', 'mat-input-3', 'react-select-2-input', 'a1b2c3', 'ember1234', 'headlessui-menu-4', 'j_idt12:name'];
  document.body.innerHTML = `<main id="shop">${ids.map((id) => `<input id="${id}">`).join('')}</main>`;
  expect([...document.querySelectorAll('input')].map(selectorOf)).toEqual(ids.map((_, i) => `#shop > input:nth-of-type(${i + 1})`));
});

test('an id that authors gave is used, whatever its characters', () => {
  const ids = ['checkout', 'step-2', 'h1', 'form:city', 'a.b', '1st', 'größe', 'with space', 'a"]b\\', 'line\nbreak'];
  for (const id of ids) {
    const div = document.createElement('div');
    div.id = id;
    document.body.append(div);
    const selector = selectorOf(div);
    expect(selector, id).toMatch(/^(#|\[id=)/);
    expect([...document.querySelectorAll(selector ?? '')], selector).toEqual([div]);
  }
});

test('a name of several elements is not used', () => {
  document.body.innerHTML = '<ul id="list"><li><b data-testid="x">1</b></li><li><b data-testid="x" id="second">2</b></li></ul>';
  expect(selectorOf(pick('#second'))).toBe('#second');
  pick('#second').id = '';
  expect(selectorOf(pick('li:nth-of-type(2) b'))).toBe('#list > li:nth-of-type(2) > b:nth-of-type(1)');
});

test('a path begins at a landmark, so that a banner above it changes nothing', () => {
  document.body.innerHTML = '<div><main><p>1</p><p>2</p></main></div>';
  const second = pick('p:nth-of-type(2)');
  const before = selectorOf(second);
  document.body.prepend(document.createElement('div'));
  expect(selectorOf(second)).toBe(before);
  expect(before).toBe('main > p:nth-of-type(2)');
});

test('an element added behind another one changes neither its selector nor its match', () => {
  document.body.innerHTML = '<div><p>1</p></div>';
  const first = pick('p');
  const before = selectorOf(first) ?? '';
  document.body.append(pick('div').cloneNode(true));
  pick('div').append(document.createElement('p'));
  expect(selectorOf(first)).toBe(before);
  expect([...document.querySelectorAll(before)]).toEqual([first]);
});

test('every element of a page gets a selector that finds it alone', () => {
  document.body.innerHTML = `
    <div><p>1</p><p>2</p><div><p>3</p><svg><g><path/><path/></g></svg></div></div>
    <div><p>4</p><p>5</p><div><p>6</p></div></div><my-box><p>7</p></my-box><o:p>8</o:p><o:p>9</o:p><form><input name="id"><input name="name"></form>`;
  for (const element of document.querySelectorAll('*')) {
    const selector = selectorOf(element);
    expect(selector, element.outerHTML).toBeDefined();
    expect([...document.querySelectorAll(selector ?? '')], selector).toEqual([element]);
  }
});

test('an element that was removed from the page has no selector', () => {
  expect(selectorOf(document.createElement('p'))).toBeUndefined();
});
