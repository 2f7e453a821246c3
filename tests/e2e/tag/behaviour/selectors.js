// A page of the shapes that are met in the world: a thousand elements and more, the same after each load.
// `?later` adds unrelated elements, as ads, toasts and widgets are.
const CHARACTERS = ['a.b', 'a:b', '1st', 'größe', 'with space', 'quo"te', "apo'strophe", 'back\\slash', 'a#b', 'a>b', '[x]', '*', '日本', '🎉', 'a,b', '-1', '--x', 'line\nbreak', 'a~b+c', '%41'];
let seed = 7;
/** Different at each load, as build tools and frameworks name things. */
const generated = () => Math.random().toString(36).slice(2, 8);
const pick = (list) => list[(seed = (seed * 16807) % 2147483647) % list.length];
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const css = () => `css-${generated()} Card_root__${generated()}`;

const list = (depth) =>
  make('ul', { class: css() }, ...Array.from({ length: 4 }, (_, i) => make('li', {}, make('a', { href: `/p/${i}` }, make('span', {}, 'x')), ...(depth ? [list(depth - 1)] : []))));
const table = () =>
  make('table', { class: 'table' }, make('tbody', {}, ...Array.from({ length: 12 }, (_, i) => make('tr', { 'data-testid': 'row' }, ...Array.from({ length: 6 }, (_, j) => make('td', {}, j ? `${i}.${j}` : make('button', { 'data-testid': `edit-${i}` }, 'edit')))))));
const cards = () => make('div', { id: `radix-:r${generated()}:`, class: css() }, ...Array.from({ length: 38 }, () => make('div', { class: css() }, make('img', { alt: '' }), make('h3', {}, 'Title'), make('div', {}, make('div', {}, make('button', { class: pick(['btn', 'btn btn-primary']) }, 'Buy'))))));
const duplicates = () => make('section', {}, ...Array.from({ length: 10 }, () => make('div', { id: 'item' }, make('p', { id: 'name' }, 'n'), make('p', { id: 'price' }, '1'))));
const odd = () => make('section', { id: 'odd' }, ...CHARACTERS.map((id) => make('div', { id }, make('i', {}, id))), make('o:p', {}, 'Word'), make('o:p', {}, 'Word'), make('form', {}, make('input', { name: 'id' }), make('input', { name: 'name' }), make('input', { name: 'parentElement' }), make('input', { name: 'children' })));
const generatedIds = () => make('section', {}, ...Array.from({ length: 20 }, (_, i) => make('input', { id: pick([`:r${generated()}:`, `mui-${1000 + i}${generated()}`, `_r_${i}_`]) })));
const icon = () => {
  const box = document.createElement('div');
  box.innerHTML = '<svg viewBox="0 0 9 9"><defs><linearGradient id="g"><stop/><stop/></linearGradient></defs><g><path/><path/><foreignObject><div>html</div></foreignObject></g><a href="#"><text>t</text></a></svg>';
  return box;
};
customElements.define('x-leaf', class extends HTMLElement {
  connectedCallback() {
    this.attachShadow({ mode: 'open' }).innerHTML = '<div><b>1</b><b>2</b></div><div><b id="name">3</b></div>';
  }
});
customElements.define('x-tree', class extends HTMLElement {
  connectedCallback() {
    this.attachShadow({ mode: 'open' }).innerHTML = '<div id="name"><x-leaf></x-leaf><x-leaf></x-leaf></div><p><slot></slot></p>';
  }
});
const shadows = () => make('section', {}, ...Array.from({ length: 12 }, () => make('x-tree', {}, make('em', {}, 'slotted'))));

document.body.append(make('div', { class: css() }, make('header', {}, make('nav', {}, list(0))), make('main', {}, list(2), table(), cards(), duplicates()), make('div', {}, odd(), generatedIds(), icon(), icon(), shadows()), make('footer', {}, list(1))));

// It stays the page that it is.
addEventListener('click', (event) => event.preventDefault());

/** Also those of shadow trees, in one order. */
window.elements = (root = document.body, found = []) => {
  for (const element of root.querySelectorAll('*')) {
    if (element.localName === 'script' || element.closest('[data-later]')) continue;
    found.push(element);
    if (element.shadowRoot) elements(element.shadowRoot, found);
  }
  return found;
};
/** What the documentation says of `target_selector`: each piece finds one element, within the shadow root of the one before. */
window.resolve = (selector) => {
  let root = document;
  let found;
  for (const piece of selector.split(' >>> ')) {
    const all = (found ? found.shadowRoot : root).querySelectorAll(piece);
    if (all.length !== 1) return undefined;
    [found] = all;
  }
  return found;
};
window.addUnrelated = () => {
  const later = { 'data-later': '' };
  document.body.append(make('div', later, make('div', later, list(1))), make('p', later, 'toast'), make('iframe', later));
  document.querySelector('footer ul').append(make('li', later, 'new'), make('li', later, 'newer'));
  document.querySelector('section').append(make('div', { ...later, id: 'advert' }, make('p', later, 'ad')));
  document.querySelector('header').append(make('dialog', later, make('form', later, make('input', { ...later, name: 'q' })), cards()));
  document.head.prepend(make('style', later, 'b { color: red }'));
};
