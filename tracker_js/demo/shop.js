// The demo's shop. It has no dependencies.
'use strict';

const PRODUCTS = {
  kettle: { name: 'Copper kettle', price: 84, tile: 'rose', line: '1.2 litres, hand-spun', material: 'Copper, tinned inside', text: 'Spun from one sheet of copper, with a handle that stays cool and a spout that pours where you look. It whistles in G.' },
  mug: { name: 'Stoneware mug', price: 22, tile: 'sky', line: 'Half-dipped glaze', material: 'Stoneware, lead-free glaze', text: 'Thrown on the wheel and dipped by hand, so that no two horizons are alike. Holds three decilitres and a thought.' },
  notebook: { name: 'Linen notebook', price: 18, tile: 'sage', line: '192 pages, dotted', material: 'Linen, 90 g paper', text: 'Lies flat from the first page to the last. The paper takes ink on both sides and forgives second thoughts.' },
  lamp: { name: 'Reading lamp', price: 129, tile: 'sun', line: 'Brass joints, warm light', material: 'Steel, brass', text: 'Three joints, one knob, a light like late afternoon. The bulb is an ordinary one and can be changed.' },
  tote: { name: 'Market tote', price: 34, tile: '', line: 'Heavy undyed canvas', material: 'Cotton canvas, 480 g', text: 'Carries nine kilos of apples without complaint. Gets softer, never smaller.' },
  planter: { name: 'Window planter', price: 27, tile: 'sage', line: 'Terracotta, with saucer', material: 'Terracotta', text: 'Fired slowly, breathes well. Comes with a saucer, and without a plant: choose your own company.' },
};
const PARCEL = 5;
const BAG_KEY = 'demo.bag';

const one = (selector, within = document) => within.querySelector(selector);
const each = (selector, act) => document.querySelectorAll(selector).forEach(act);
const euros = (amount) => `€ ${amount}`;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function readBag() {
  try {
    return Object.entries(JSON.parse(localStorage.getItem(BAG_KEY) ?? '{}')).filter(([id]) => PRODUCTS[id]);
  } catch {
    return [];
  }
}

function showBag() {
  const bag = readBag();
  const goods = bag.reduce((sum, [id, count]) => sum + PRODUCTS[id].price * count, 0);
  each('[data-bag-count]', (element) => { element.textContent = bag.reduce((sum, [, count]) => sum + count, 0); });
  each('[data-bag-lines]', (list) => {
    list.replaceChildren(...bag.map(([id, count]) => make('li', {},
      make('div', { class: `tile ${PRODUCTS[id].tile}` }, make('img', { src: `/demo/${id}.svg`, alt: '', width: 400, height: 320 })),
      make('div', {}, PRODUCTS[id].name, make('br'), make('span', { class: 'soft small' }, `${count} × ${euros(PRODUCTS[id].price)}`)),
      make('b', {}, euros(PRODUCTS[id].price * count)))));
    if (bag.length === 0) list.replaceChildren(make('li', { class: 'soft', style: 'display:block' }, 'Nothing in it yet.'));
  });
  each('[data-bag-sums]', (sums) => {
    const row = (name, amount, kind = '') => make('div', { class: kind }, make('dt', {}, name), make('dd', {}, euros(amount)));
    const parcel = bag.length ? PARCEL : 0;
    sums.replaceChildren(row('Goods', goods), row('Parcel', parcel), row('Together', goods + parcel, 'total'));
  });
}

function listPage() {
  each('[data-filter]', (button) => button.addEventListener('click', () => {
    each('[data-filter]', (other) => other.setAttribute('aria-pressed', String(other === button)));
    each('[data-category]', (item) => { item.hidden = button.dataset.filter !== 'all' && item.dataset.category !== button.dataset.filter; });
  }));
}

function productPage() {
  if (!one('[data-product]')) return;
  const asked = new URLSearchParams(location.search).get('id') ?? '';
  const id = Object.hasOwn(PRODUCTS, asked) ? asked : 'kettle';
  const product = PRODUCTS[id];
  document.title = `${product.name} – Alder & Finch`;
  for (const field of ['name', 'line', 'text', 'material']) each(`[data-product="${field}"]`, (element) => { element.textContent = product[field]; });
  one('[data-product="price"]').textContent = euros(product.price);
  one('[data-product="tile"]').append(make('img', { src: `/demo/${id}.svg`, alt: product.name, width: 400, height: 320 }));
  if (product.tile) one('[data-product="tile"]').classList.add(product.tile);
  one('[data-product="others"]').append(...Object.entries(PRODUCTS).filter(([other]) => other !== id).slice(0, 3).map(([other, { name, tile, line, price }]) =>
    make('li', {}, make('a', { class: 'product', href: `/demo/product.html?id=${other}`, 'data-testid': `other-${other}` },
      make('div', { class: `tile ${tile}` }, make('img', { src: `/demo/${other}.svg`, alt: '', width: 400, height: 320 })),
      make('h3', {}, name), make('div', { class: 'row' }, make('span', {}, line), make('b', {}, euros(price)))))));
  one('[data-testid="add-to-cart"]').addEventListener('click', () => {
    const count = Number(one('[name="quantity"]').value);
    const bag = Object.fromEntries(readBag());
    bag[id] = (bag[id] ?? 0) + count;
    localStorage.setItem(BAG_KEY, JSON.stringify(bag));
    showBag();
    one('[data-testid="added"]').textContent = `In the bag: ${count} × ${product.name}`;
    window.tracker?.track('add_to_bag', { product: id, count, price: product.price });
  });
}

function formPage() {
  const form = one('#account');
  if (!form) return;
  const password = one('#password');
  one('[data-testid="show-password"]').addEventListener('click', ({ currentTarget }) => {
    password.type = password.type === 'password' ? 'text' : 'password';
    currentTarget.textContent = password.type === 'password' ? 'Show' : 'Hide';
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    location.assign('/demo/checkout.html');
  });
}

/** Behaves like a single-page app: its steps change by `history.pushState`. */
function checkoutPage() {
  if (!one('[data-view]')) return;
  const titles = { bag: 'Your bag', delivery: 'Delivery', review: 'One last look', done: 'On its way' };
  const show = () => {
    const asked = new URLSearchParams(location.search).get('step') ?? 'bag';
    const step = Object.hasOwn(titles, asked) ? asked : 'bag';
    one('[data-step-title]').textContent = titles[step];
    each('[data-view]', (view) => { view.hidden = view.dataset.view !== step; });
    each('[role="tab"]', (tab) => tab.setAttribute('aria-selected', String(tab.dataset.step === step)));
    document.title = `${titles[step]} – Alder & Finch`;
  };
  each('[data-step]', (button) => button.addEventListener('click', () => {
    const { step } = button.dataset;
    if (step === 'done') {
      localStorage.removeItem(BAG_KEY);
      window.tracker?.track('order_placed');
    }
    history.pushState(null, '', `/demo/checkout.html?step=${step}`);
    show();
    showBag();
  }));
  window.addEventListener('popstate', show);
  show();
}

/** Shows what is recorded, and has buttons that cause errors. */
function recordingPanel() {
  const output = make('output');
  const button = (name, text, act) => {
    const element = make('button', { type: 'button', 'data-testid': name }, text);
    element.addEventListener('click', act);
    return element;
  };
  const id = window.tracker?.sessionId;
  const session = `/api/v1/sessions/${id}`;
  const link = (href, text) => make('a', { href, target: '_blank', rel: 'noopener' }, text);
  const watch = link(`/demo/watch.html?session=${id}`, 'watch this visit');
  watch.addEventListener('click', (event) => {
    event.preventDefault();
    // Unsent events are sent first, or the replay would miss the last seconds. A browser opens no window long after a click.
    const late = new Promise((resolve) => setTimeout(resolve, 1_000));
    Promise.race([window.tracker.flush(), late]).then(() => window.open(watch.href, '_blank', 'noopener'));
  });
  const details = make('details', { 'data-testid': 'recording' },
    make('summary', {}, make('span', { class: 'dot' }), id ? 'You are being recorded' : 'The recorder did not load'),
    make('div', { class: 'body' },
      make('div', {}, 'session ', make('code', { 'data-testid': 'session-id' }, id ?? '–')),
      make('div', { class: 'links' }, ...(id ? [watch, link(session, 'session'), link(`${session}/events`, 'events'), link(`${session}/screenshots?data=false`, 'screenshots')] : []), link('/docs', 'API docs')),
      make('div', { class: 'tests' },
        button('throw-error', 'Throw an error', () => { throw new Error('The demo was asked to fail'); }),
        button('reject-promise', 'Reject a promise', () => { Promise.reject(new Error('The demo promised too much')); }),
        button('break-image', 'Miss an image', () => { output.replaceChildren(make('img', { src: '/demo/missing.png', alt: 'missing' })); })),
      output));
  // Closed on a phone, where it would cover the shop.
  details.open = window.innerWidth > 860;
  document.body.append(make('aside', { class: 'rec', 'aria-label': 'Recording' }, details));
}

listPage();
productPage();
formPage();
checkoutPage();
showBag();
// An async script delays the load event: by then the tracker is loaded, or has failed to load.
if (document.readyState === 'complete') recordingPanel();
else window.addEventListener('load', recordingPanel);
