import { isField, isPrivate, MASK, mayBecomeSecret, type Secrets } from './mask';
import { type Attributes, CANVAS, type Changed, ELEMENT, type EventData, INCREMENTAL, INPUT, META, type Mirror, MUTATION, type RecordedEvent, SCROLL, SELECTION, type SerializedNode, TEXT } from './rrweb-types';

/** How much of an element is recorded: everything, its shape (`[data-private]`), or only that it exists. */
const OPEN = 0;
const PRIVATE = 1;
const BLOCKED = 2;
type Level = typeof OPEN | typeof PRIVATE | typeof BLOCKED;

/** Shape and place of a private element. Attributes that draw (`d`, `src`) are content. */
const SHAPE = /^(class|id|style|type|role|dir|lang|width|height|colspan|rowspan|cols|rows|size|hidden|disabled|open|viewBox|xmlns|contenteditable|data-private|_cssText|rr_(width|height|scroll\w+|open_mode|media\w+))$/;
/** Attributes that are never typed and often long: they are not searched. */
const UNSEARCHED = /^(class|id|style|type|role|for|name|rel|width|height|d|points|transform|viewBox|fill|stroke|x|y|r|cx|cy|xmlns|_cssText|rr_\w+)$/;
/** Programs and their keys: a replay runs none. `srcdoc` is recorded as the document that it becomes. */
const NOT_RECORDED = /^(on.*|nonce|srcdoc|ping)$/;
const ADDRESSES = /^(href|xlink:href|src|srcset|action|formaction|cite|data|poster|background|rr_src)$/;
/** Elements whose addresses lead elsewhere and are not needed to draw the page. */
const LINKS = /^(a|area|form|button|input|base|iframe|frame|embed|object|q|blockquote|del|ins)$/;
/** The value of a button is not typed. */
const BUTTONS = /^(submit|button|reset|image)$/;
const CHECKED = /^(checkbox|radio)$/;
/** Elements that often repeat a typed value. */
const REPEATING = /^(title|output)$/;
const MARKS = ['data-private', 'data-unmask', 'contenteditable'];
/** Shorter values appear in other texts by chance. */
const MIN_REPEATED = 4;

export interface Masker {
  /** rrweb's `maskInputFn`: one mask for all values, so that neither letters nor their number are recorded. */
  maskInput: (text: string, field: Element) => string;
  /** Masks an event in place. */
  maskEvent: (event: RecordedEvent) => void;
  /** The visitor types into this field: its value is masked wherever the page repeats it. */
  addTypedField: (field: Element) => void;
}

export interface MaskOptions {
  secrets: Secrets;
  mirror: Mirror;
  /** Selectors; empty for none. */
  maskText: string;
  block: string;
  /** Called for each image whose content may be recorded. */
  onImage: (image: SerializedNode) => void;
}

const elementOf = (node: Node | null): Element | null => (node?.nodeType === Node.ELEMENT_NODE ? (node as Element) : (node?.parentElement ?? null));

/** Returns the element to which a shadow tree or a frame belongs. */
function hostOf(node: Node): Element | null {
  const root = node.getRootNode();
  if (root.nodeType === Node.DOCUMENT_FRAGMENT_NODE) return (root as ShadowRoot).host ?? null;
  return root === document ? null : ((root as Document).defaultView?.frameElement ?? null);
}

/** Takes a style attribute, or the changes of one: an object of values, or of pairs of a value and its priority. */
function withoutImages(style: unknown): unknown {
  if (typeof style === 'string') return style.replace(/url\([^)]*\)/gi, 'none');
  if (typeof style !== 'object' || style === null) return style;
  if (Array.isArray(style)) return style.map(withoutImages);
  return Object.fromEntries(Object.entries(style).map(([name, value]) => [name, withoutImages(value)]));
}

const isNothing = ({ source, texts, attributes, removes, adds }: EventData): boolean =>
  source === MUTATION && !texts?.length && !attributes?.length && !removes?.length && !adds?.length;

/** True for an event of which masking has left nothing: it is not sent. */
export const isEmpty = ({ type, data }: RecordedEvent): boolean => type === INCREMENTAL && isNothing(data);

export function createMasker({ secrets, mirror, maskText, block, onImage }: MaskOptions): Masker {
  const fields = new Set<Element>();
  /** What is recorded as masked already, texts by id and attributes by id and name: a mask for each letter would reveal their number. */
  const masked = new Set<string>();
  const isRepeated = (what: string, result: unknown): boolean => {
    const isKnown = masked.has(what);
    if (result === MASK) masked.add(what);
    else masked.delete(what);
    return result === MASK && isKnown;
  };

  const levelOf = (node: Node | null): Level => {
    let level: Level = OPEN;
    for (let at = elementOf(node) ?? (node && hostOf(node)); at; at = hostOf(at)) {
      if (at.closest(block)) return BLOCKED;
      if (isPrivate(at) || (maskText && at.closest(maskText))) level = PRIVATE;
    }
    return level;
  };
  const isOpen = (field: Element): boolean => secrets.isUnmasked(field) && levelOf(field) === OPEN;
  const maskInput = (text: string, field: Element): string => {
    if (text === '' || BUTTONS.test((field as HTMLInputElement).type)) return text;
    return isOpen(field) && !mayBecomeSecret(text) ? secrets.scrub(text) : MASK;
  };

  /** Masks typed values in a text, also where the page repeats them (`data-value`). */
  const scrub = (text: string): string => {
    let result = secrets.scrub(text);
    for (const field of fields) {
      if (!field.isConnected) {
        fields.delete(field);
        continue;
      }
      const value = (isField(field) ? field.value : field.textContent) ?? '';
      if (value === '' || isOpen(field)) continue;
      if (result === value) return MASK;
      if (value.length >= MIN_REPEATED) result = result.split(value).join(MASK);
    }
    return result;
  };
  const blank = (text: string): string => (text.trim() === '' ? text : MASK);
  const textIn = (text: string, parent: string, level: Level): string => {
    if (parent === 'style' || text === '') return text;
    if (level !== OPEN || parent === 'textarea') return blank(text);
    return REPEATING.test(parent) ? scrub(text) : secrets.scrub(text);
  };
  const address = (tag: string, url: string): string => {
    if (/^(data:|blob:|#|about:)/i.test(url)) return url;
    if (/^\s*javascript:/i.test(url)) return '#';
    if (LINKS.test(tag)) return secrets.scrub(url.replace(/[?#].*$/s, ''));
    return url.includes('?') ? url.replace(/[^\s,]+\?[^\s,]*/g, secrets.url) : url;
  };

  /** Returns undefined for an attribute that is not recorded. */
  const attribute = (name: string, value: unknown, tag: string, type: string, level: Level, field: Element | undefined): unknown => {
    if (NOT_RECORDED.test(name)) return undefined;
    const isForm = /^(input|textarea|select)$/.test(tag);
    if (isForm && name === 'value' && !BUTTONS.test(type)) {
      if (CHECKED.test(type) && level === OPEN) return scrub(String(value));
      return value === '' ? value : field ? maskInput(String(value), field) : MASK;
    }
    if (level !== OPEN) {
      if (!SHAPE.test(name)) return undefined;
      return name === 'style' ? withoutImages(value) : value;
    }
    if (typeof value !== 'string' || value === '' || UNSEARCHED.test(name)) return value;
    if (ADDRESSES.test(name)) return address(tag, value);
    // The `value` of a custom element is that of a field.
    if (name === 'value' && tag.includes('-')) return MASK;
    return scrub(value);
  };
  const mask = (attributes: Attributes, tag: string, type: string, level: Level, field: Element | undefined): void => {
    for (const name of Object.keys(attributes)) {
      // Null: the attribute was removed.
      if (attributes[name] === null) continue;
      const result = attribute(name, attributes[name], tag, type, level, field);
      if (result === undefined) Reflect.deleteProperty(attributes, name);
      else attributes[name] = result;
    }
  };

  const walk = (node: SerializedNode, parent: string, above: Level): void => {
    let level = above;
    const tag = node.tagName ?? '';
    if (node.type === TEXT) {
      const text = textIn(node.textContent ?? '', parent, level);
      isRepeated(String(node.id), text);
      node.textContent = text;
    } else if (node.type === ELEMENT && node.attributes) {
      const { attributes } = node;
      const element = (mirror.getNode(node.id) as Element | null) ?? undefined;
      if (element && (level === OPEN || 'data-unmask' in attributes) && (MARKS.some((mark) => mark in attributes) || (maskText && element.matches(maskText)))) level = levelOf(element);
      // An element in a frame of another site, which is unreachable.
      else if (!element && 'data-private' in attributes) level = PRIVATE;
      mask(attributes, tag, typeof attributes.type === 'string' ? attributes.type.toLowerCase() : '', level, element);
      if (element && isField(element) && isOpen(element)) attributes['data-unmask'] = '';
      if (tag === 'img' && level === OPEN) onImage(node);
    }
    for (const child of node.childNodes ?? []) walk(child, tag, level);
  };

  const change = (changed: Changed): boolean => {
    const element = elementOf(mirror.getNode(changed.id));
    const tag = element?.localName ?? '';
    const { attributes } = changed;
    // An input event has the value once. An attribute that a framework keeps in sync has it letter by letter.
    if (element && isField(element) && 'value' in attributes && !isOpen(element)) Reflect.deleteProperty(attributes, 'value');
    mask(attributes, tag, element?.getAttribute('type')?.toLowerCase() ?? '', element ? levelOf(element) : OPEN, element ?? undefined);
    for (const name of Object.keys(attributes)) if (isRepeated(`${changed.id} ${name}`, attributes[name])) Reflect.deleteProperty(attributes, name);
    if (element && isField(element) && attributes.value && isOpen(element)) attributes['data-unmask'] = '';
    return Object.keys(attributes).length > 0;
  };

  const mutation = (data: EventData): void => {
    data.adds = data.adds?.filter(({ parentId, node }) => {
      const parent = mirror.getNode(parentId);
      const level = levelOf(parent);
      if (level === BLOCKED) return false;
      walk(node, elementOf(parent)?.localName ?? '', level);
      return true;
    });
    data.texts = data.texts?.filter((changed) => {
      const node = mirror.getNode(changed.id);
      const level = levelOf(node);
      if (level === BLOCKED) return false;
      const value = textIn(changed.value ?? '', node?.parentElement?.localName ?? '', level);
      changed.value = value;
      return !isRepeated(String(changed.id), value);
    });
    data.attributes = data.attributes?.filter(change);
  };

  const nothing = (): EventData => ({ source: MUTATION, texts: [], attributes: [], removes: [], adds: [] });
  const incremental = (data: EventData): EventData => {
    const element = (): Element | null => elementOf(mirror.getNode(data.id ?? -1));
    switch (data.source) {
      case MUTATION:
        mutation(data);
        return data;
      case INPUT: {
        const field = element();
        const type = field?.getAttribute('type')?.toLowerCase() ?? '';
        const level = levelOf(field);
        if (level === BLOCKED) return nothing();
        if (CHECKED.test(type) && level !== OPEN) return { ...data, text: MASK, isChecked: false };
        if (CHECKED.test(type) || BUTTONS.test(type)) data.text = secrets.scrub(data.text ?? '');
        // The server masks values without this mark, which players ignore.
        else if (field && isOpen(field)) data.input_masked = false;
        return data;
      }
      case SCROLL: {
        // How far a field is scrolled reveals how much is in it.
        const field = element();
        return field && isField(field) ? nothing() : data;
      }
      case CANVAS:
        return levelOf(element()) === OPEN ? data : nothing();
      case SELECTION:
        data.ranges = data.ranges?.filter(({ start, end }) => [start, end].every((id) => levelOf(mirror.getNode(id)) === OPEN));
        return data;
      default:
        return data;
    }
  };

  return {
    maskInput,
    addTypedField: (field) => fields.add(field),
    maskEvent(event) {
      if (event.type === META) event.data.href = secrets.url(event.data.href ?? '');
      else if (event.type === INCREMENTAL) event.data = incremental(event.data);
      else if (event.data?.node) walk(event.data.node, '', OPEN);
    },
  };
}
