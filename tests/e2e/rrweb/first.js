// What the buttons of the first page do: every kind of change that a recording must tell.
const byId = (id) => document.getElementById(id);
const onClick = (id, act) => byId(id).addEventListener('click', act);
const element = (name, id, text) => Object.assign(document.createElement(name), { id, textContent: text });

byId('shadow').attachShadow({ mode: 'open' }).append(element('p', 'inside', 'In a shadow'));
byId('scroller').append(...Array.from({ length: 30 }, (_, index) => element('p', `line-${index}`, `Line ${index}`)));

onClick('rename', () => {
  byId('title').firstChild.data = 'Kites & «dragons» 🪁';
  byId('greeting').textContent = 'Olá, 世界! 👩‍👩‍👧‍👦 مرحبا <b>not bold</b> \u2028 "quoted" \\ back';
  byId('shadow').shadowRoot.getElementById('inside').textContent = 'Changed in a shadow 🌒';
});
let items = 3;
onClick('add', () => {
  const id = `item-${++items}`;
  byId('list').append(element('li', id, `Kite of ${id} 🎏`));
  byId('list').prepend(byId('item-3')); // moved
});
onClick('remove', () => byId('item-2').remove());
onClick('paint', () => {
  byId('header').className = 'painted';
  byId('header').title = 'Painted "green"';
  byId('greeting').style.color = 'rgb(0, 105, 92)';
  byId('greeting').dataset.state = 'painted';
  byId('note').setAttribute('disabled', '');
});
onClick('open', () => {
  byId('dialog-text').innerHTML = '<em>Opened</em> by a click 🎉';
  byId('dialog').showModal();
});
onClick('log', () => console.error('The wind is gone', { knots: 0 }, '🍃'));
onClick('throw', () => {
  throw new Error('The line is torn 💥');
});
byId('next').search = location.search;
