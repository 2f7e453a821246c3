import { beforeEach, describe, expect, it } from 'vitest';
import { MASK, watchSecrets } from '../src/mask';
import { createMasker, isEmpty, type Masker, type MaskOptions } from '../src/record-mask';
import { type Attributes, ELEMENT, FULL_SNAPSHOT, INCREMENTAL, INPUT, META, MUTATION, type RecordedEvent, SCROLL, SELECTION, type SerializedNode, TEXT } from '../src/rrweb-types';

/** A map of the page's nodes and ids, and a snapshot as rrweb makes it. */
class Book {
  readonly nodes: Node[] = [];
  getId = (node: Node): number => {
    if (!this.nodes.includes(node)) this.nodes.push(node);
    return this.nodes.indexOf(node) + 1;
  };
  getNode = (id: number): Node | null => this.nodes[id - 1] ?? null;

  serialize(node: Node): SerializedNode {
    const id = this.getId(node);
    if (node.nodeType === Node.TEXT_NODE) return { type: TEXT, id, textContent: node.nodeValue ?? '' };
    const element = node as Element;
    const attributes: Attributes = Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value]));
    return { type: ELEMENT, id, tagName: element.localName, attributes, childNodes: [...element.childNodes].map((child) => this.serialize(child)) };
  }
}

let book: Book;
let masker: Masker;
const find = (id: string): HTMLElement => document.querySelector<HTMLElement>(`#${id}`) ?? document.body;
const open = (html: string, options: Partial<MaskOptions> = {}): void => {
  document.body.innerHTML = html;
  book = new Book();
  masker = createMasker({
    secrets: watchSecrets(),
    mirror: book,
    maskText: '.rr-mask,.hush',
    block: '.blocked',
    onImage: () => undefined,
    ...options,
  });
};
const event = (type: number, data: RecordedEvent['data']): RecordedEvent => {
  const made = { type, data, timestamp: 1 };
  masker.maskEvent(made);
  return made;
};
const snapshot = (): string => JSON.stringify(event(FULL_SNAPSHOT, { node: book.serialize(document.body) }).data);
const mutation = (data: RecordedEvent['data']): RecordedEvent => event(INCREMENTAL, { source: MUTATION, texts: [], attributes: [], removes: [], adds: [], ...data });
const attributesOf = (html: string): Attributes => {
  open(html);
  const node = book.serialize(document.body.children[0] ?? document.body);
  event(FULL_SNAPSHOT, { node });
  return node.attributes ?? {};
};

beforeEach(() => {
  open('');
});

describe('typed values', () => {
  it('become one mask, whatever their length', () => {
    open('<input id="a"><textarea id="b"></textarea><input id="c" type="password">');
    for (const id of ['a', 'b', 'c']) expect([masker.maskInput('x', find(id)), masker.maskInput('long enough', find(id))]).toEqual([MASK, MASK]);
    expect(masker.maskInput('', find('a'))).toBe('');
  });

  it('are recorded where the page allows it, unless they are secret or may become so', () => {
    open('<input id="town" data-unmask><input id="key" type="password" data-unmask>');
    expect(masker.maskInput('Lisbon', find('town'))).toBe('Lisbon');
    expect(masker.maskInput('ada@', find('town'))).toBe(MASK);
    expect(masker.maskInput('hunter2', find('key'))).toBe(MASK);
  });

  it('are recorded of fields that the project allows', () => {
    const secrets = watchSecrets();
    secrets.apply({ inputs: 'all', fields: [], parameters: [], allow: ['Town'] });
    open('<input id="town"><input id="city">', { secrets });
    expect(['town', 'city'].map((id) => masker.maskInput('Lisbon', find(id)))).toEqual(['Lisbon', MASK]);
  });

  it('have a mark for the server where they are recorded', () => {
    expect(attributesOf('<form data-unmask><input value="Lisbon"></form>')).toEqual({ 'data-unmask': '' });
    open('<p data-unmask><input id="town"></p><input id="city">');
    const [town, city] = [find('town'), find('city')].map((field) => book.getId(field));
    const input = (id = 0): unknown => event(INCREMENTAL, { source: INPUT, id, text: 'x', isChecked: false }).data.input_masked;
    expect([input(town), input(city)]).toEqual([false, undefined]);
    const node = book.serialize(document.body);
    event(FULL_SNAPSHOT, { node });
    const fields = [node.childNodes?.[0]?.childNodes?.[0], node.childNodes?.[1]];
    expect(fields.map((field) => field?.attributes?.['data-unmask'])).toEqual(['', undefined]);
    const change = mutation({ attributes: [{ id: town ?? 0, attributes: { value: 'Lisbon' } }, { id: city ?? 0, attributes: { value: 'Porto' } }] });
    expect(change.data.attributes).toEqual([{ id: town, attributes: { value: 'Lisbon', 'data-unmask': '' } }]);
  });

  it('of buttons are their labels', () => {
    open('<input id="a" type="reset">');
    expect(masker.maskInput('Start again', find('a'))).toBe('Start again');
  });

  it('in attributes are masked in snapshots, and recorded once in changes', () => {
    expect(attributesOf('<input value="typed">').value).toBe(MASK);
    expect(attributesOf('<input type="submit" value="Send">').value).toBe('Send');
    expect(attributesOf('<x-field value="typed"></x-field>').value).toBe(MASK);
    open('<input id="a">');
    const id = book.getId(find('a'));
    expect(isEmpty(mutation({ attributes: [{ id, attributes: { value: 'ty' } }] }))).toBe(true);
  });

  it('are masked where the page repeats them, not letter by letter', () => {
    open('<input id="a"><p id="b"></p>');
    const field = find('a') as HTMLInputElement;
    masker.addTypedField(field);
    const id = book.getId(find('b'));
    const mask = (value: string): RecordedEvent => {
      field.value = value;
      return mutation({ attributes: [{ id, attributes: { 'data-value': value, title: `now: ${value}` } }] });
    };
    mask('s');
    expect(isEmpty(mask('se'))).toBe(false); // the title has two letters still
    expect(JSON.stringify(mask('secretly').data)).not.toContain('secretly');
  });

  it('do not reveal what is chosen in a private box', () => {
    open('<div data-private><input id="a" type="checkbox"></div><input id="b" type="checkbox">');
    const mask = (id: string): RecordedEvent => event(INCREMENTAL, { source: INPUT, id: book.getId(find(id)), text: 'on', isChecked: true });
    expect(mask('a').data).toMatchObject({ text: MASK, isChecked: false });
    expect(mask('b').data).toMatchObject({ text: 'on', isChecked: true });
  });

  it('are not revealed by how far a field is scrolled', () => {
    open('<input id="a"><div id="b"></div>');
    const mask = (id: string): RecordedEvent => event(INCREMENTAL, { source: SCROLL, id: book.getId(find(id)) });
    expect([isEmpty(mask('a')), isEmpty(mask('b'))]).toEqual([true, false]);
  });
});

describe('private parts', () => {
  it.each(['data-private', 'contenteditable="true"', 'class="hush"'])('with %s keep only their shape', (mark) => {
    open(`<div ${mark} title="Pv0"><p style="color: red; background: url(Pv0.png)">Pv0</p><img src="Pv0.png" alt="Pv0" width="9"><a href="/Pv0">Pv0</a><svg><path d="Pv0"></path></svg></div>`);
    const recorded = snapshot();
    expect(recorded).not.toContain('Pv0');
    expect(recorded).toContain('color: red');
    expect(recorded).toContain('"width":"9"');
  });

  it('stay private in what is added and changed later', () => {
    open('<div data-private id="a"><p>x</p></div>');
    book.serialize(document.body);
    const paragraph = find('a').children[0] ?? document.body;
    const added = document.createElement('b');
    added.textContent = 'Pv0';
    paragraph.append(added);
    const recorded = mutation({
      adds: [{ parentId: book.getId(paragraph), node: book.serialize(added) }],
      texts: [{ id: book.getId(paragraph.firstChild as Node), value: 'Pv0' }],
      attributes: [{ id: book.getId(paragraph), attributes: { title: 'Pv0' } }],
    });
    expect(JSON.stringify(recorded)).not.toContain('Pv0');
    expect(recorded.data.adds).toHaveLength(1);
  });

  it('do not reveal the number of letters in an editor', () => {
    open('<div contenteditable="true" id="a">x</div>');
    const id = book.getId(find('a').firstChild as Node);
    expect(isEmpty(mutation({ texts: [{ id, value: 'xy' }] }))).toBe(false);
    expect(isEmpty(mutation({ texts: [{ id, value: 'xyz' }] }))).toBe(true);
    const { ranges } = event(INCREMENTAL, { source: SELECTION, ranges: [{ start: id, end: id }] }).data;
    expect(ranges).toEqual([]);
  });

  it('are open again where the page allows it', () => {
    open('<div data-private>Pv0<p data-unmask>Shown</p></div>');
    const recorded = snapshot();
    expect(recorded).toContain('Shown');
    expect(recorded).not.toContain('Pv0');
  });

  it('include their shadow trees', () => {
    open('<div data-private id="a"></div>');
    const root = find('a').attachShadow({ mode: 'open' });
    root.innerHTML = '<p id="b">Pv0</p>';
    const text = root.querySelector('p')?.firstChild as Node;
    expect(JSON.stringify(mutation({ texts: [{ id: book.getId(text), value: 'Pv0' }] }))).not.toContain('Pv0');
  });
});

describe('a changed style', () => {
  it.each([
    [{ 'background-image': 'url(/jane.jpg)', color: ['url("/jane.jpg")', 'important'], width: false }, { 'background-image': 'none', color: ['none', 'important'], width: false }],
    ['background: url(/jane.jpg)', 'background: none'],
  ])('of a private element loses its images: %o', (style, recorded) => {
    open('<i id="a" data-private></i>');
    const made = mutation({ attributes: [{ id: book.getId(find('a')), attributes: { style } }] });
    expect(made.data.attributes?.[0]?.attributes.style).toEqual(recorded);
  });
});

describe('blocked parts', () => {
  it('record no changes inside', () => {
    open('<div class="blocked" id="a"><input id="b">Bl0</div>');
    const node = book.serialize(find('b'));
    const id = book.getId(find('a').lastChild as Node);
    expect(isEmpty(mutation({ adds: [{ parentId: book.getId(find('a')), node }], texts: [{ id, value: 'Bl0' }] }))).toBe(true);
    expect(isEmpty(event(INCREMENTAL, { source: INPUT, id: book.getId(find('b')), text: MASK }))).toBe(true);
  });
});

describe('the page', () => {
  it('keeps its text, except addresses and the values of secret fields', () => {
    open('<p>Write to ada@shop.example</p><p id="b">Your code is tulip-7</p><input id="a" type="password">');
    (find('a') as HTMLInputElement).value = 'tulip-7';
    const recorded = snapshot();
    expect(recorded).toContain('Write to ');
    expect(recorded).not.toContain('ada@');
    expect(recorded).not.toContain('tulip-7');
  });

  it('records links without queries, and images without secret parameters', () => {
    expect(attributesOf('<a href="https://a.example/b?token=x#y">z</a>').href).toBe('https://a.example/b');
    expect(attributesOf('<a href="javascript:pay(1)">z</a>').href).toBe('#');
    expect(attributesOf('<img src="https://a.example/b.png?v=2&token=xyz">').src).toBe(`https://a.example/b.png?v=2&token=${MASK}`);
    expect(attributesOf('<img src="data:image/png;base64,AA==">').src).toBe('data:image/png;base64,AA==');
  });

  it('records no scripts', () => {
    expect(attributesOf('<p onclick="pay()" nonce="n" id="a">z</p>')).toEqual({ id: 'a' });
  });

  it('records its address without secret parameters', () => {
    expect(event(META, { href: 'https://a.example/b?page=2&token=xyz' }).data.href).toBe(`https://a.example/b?page=2&token=${MASK}`);
  });

  it('passes on the images that may be recorded', () => {
    const images: SerializedNode[] = [];
    open('<img id="a"><p data-private><img id="b"></p>', { onImage: (image) => images.push(image) });
    snapshot();
    expect(images.map(({ attributes }) => attributes?.id)).toEqual(['a']);
  });
});
