const find = (id) => document.getElementById(id);
const root = find('shadow').attachShadow({ mode: 'open' });
root.innerHTML = '<p id="in-shadow">Text of a shadow tree</p><input id="shadow-field"><p data-private>Pv0-shadow</p>';

let added = 0;
find('add').addEventListener('click', () => {
  find('list').insertAdjacentHTML('beforeend', `<li>Added kite ${++added}</li>`);
});
find('remove').addEventListener('click', () => find('list').firstElementChild.remove());
find('open').addEventListener('click', () => {
  find('dialog-text').textContent = 'Opened by a click 🎉';
  find('dialog').showModal();
});
find('throw').addEventListener('click', () => {
  throw new Error('a kite tore');
});
// As frameworks and style sheets do: what is typed stands in attributes, too.
for (const id of ['name', 'password', 'note', 'search']) {
  find(id).addEventListener('input', ({ target }) => {
    target.setAttribute('value', target.value);
    find('mirror').dataset.value = target.value;
    find('mirror').title = target.value;
  });
}

/** What of a document must be the same here and in the replay; fields and private parts are masked there. */
window.stateOf = (page) => {
  const all = (selector) => [...page.querySelectorAll(selector)];
  const masked = '[data-private], [contenteditable], .hush, .secret-box';
  return {
    title: page.title,
    texts: all('body *:not(:has(*))').filter((it) => !it.closest(masked) && !/^(SCRIPT|NOSCRIPT)$/.test(it.tagName)).map((it) => [it.tagName, it.textContent.trim()]),
    list: all('#list > li').map((it) => it.textContent),
    shadow: all('#shadow').map((it) => it.shadowRoot.querySelector('#in-shadow').textContent),
    frame: all('#frame').map((it) => it.contentDocument.querySelector('#in-frame').textContent),
    checked: all('#gift').map((it) => it.checked),
    town: all('#town').map((it) => it.value),
    open: all('details, dialog').map((it) => it.open),
    scrolled: all('#scroller').map((it) => it.scrollTop),
  };
};
