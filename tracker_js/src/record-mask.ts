import type { Config } from './config';
import { isField, isPrivate, MASK, mayBecomeSecret, type Secrets } from './mask';
import { type Attributes, CANVAS, type Changed, ELEMENT, type EventData, INCREMENTAL, INPUT, META, type Mirror, MUTATION, type RecordedEvent, SCROLL, SELECTION, type SerializedNode, TEXT } from './rrweb-types';

/** How much of an element is told: all, its shape (`[data-private]`), or that it is there. */
const OPEN = 0;
const PRIVATE = 1;
const BLOCKED = 2;
type Level = typeof OPEN | typeof PRIVATE | typeof BLOCKED;

/** Shape and place of a private element. What draws (`d`, `src`) is its content. */
const SHAPE = /^(class|id|style|type|role|dir|lang|width|height|colspan|rowspan|cols|rows|size|hidden|disabled|open|viewBox|xmlns|contenteditable|data-private|_cssText|rr_(width|height|scroll\w+|open_mode|media\w+))$/;
/** Never typed and often long: nothing is looked for in them. */
const PLAIN = /^(class|id|style|type|role|for|name|rel|width|height|d|points|transform|viewBox|fill|stroke|x|y|r|cx|cy|xmlns|_cssText|rr_\w+)$/;
/** Programs and their keys: a replay runs none. `srcdoc` is recorded as the document that it is. */
const NEVER = /^(on.*|nonce|srcdoc|ping)$/;
const ADDRESSES = /^(href|xlink:href|src|srcset|action|formaction|cite|data|poster|background|rr_src)$/;
/** Their addresses lead somewhere else, and are not needed to draw the page. */
const LINKS = /^(a|area|form|button|input|base|iframe|frame|embed|object|q|blockquote|del|ins)$/;
/** Typed letter by letter into a button is nothing. */
const BUTTONS = /^(submit|button|reset|image)$/;
const CHECKED = /^(checkbox|radio)$/;
/** What says in the page what is in a field. */
const ECHOES = /^(title|output)$/;
const MARKS = ['data-private', 'data-allow', 'contenteditable'];
/** A shorter value stands in other texts by chance. */
const MIN_ECHO = 4;

export interface Masker {
  /** rrweb's `maskInputFn`: one mask for all values, so that neither letters nor their number are told. */
  input: (text: string, field: Element) => string;
  /** Masks an event in place. */
  event: (event: RecordedEvent) => void;
  /** Somebody types here: what is in it is not told where the page repeats it. */
  typed: (field: Element) => void;
}

export interface MaskOptions {
  secrets: Secrets;
  masking: Config['masking'];
  mirror: Mirror;
  /** Selectors; empty for none. */
  maskText: string;
  block: string;
  /** An image that may be told. */
  onImage: (image: SerializedNode) => void;
}

const elementOf = (node: Node | null): Element | null => (node?.nodeType === Node.ELEMENT_NODE ? (node as Element) : (node?.parentElement ?? null));

/** The element that a shadow tree or a frame hangs on. */
function hostOf(node: Node): Element | null {
  const root = node.getRootNode();
  if (root.nodeType === Node.DOCUMENT_FRAGMENT_NODE) return (root as ShadowRoot).host ?? null;
  return root === document ? null : ((root as Document).defaultView?.frameElement ?? null);
}

/** A style, or what has changed of one: an object of values, of pairs of a value and its priority. */
function withoutPictures(style: unknown): unknown {
  if (typeof style === 'string') return style.replace(/url\([^)]*\)/gi, 'none');
  if (typeof style !== 'object' || style === null) return style;
  if (Array.isArray(style)) return style.map(withoutPictures);
  return Object.fromEntries(Object.entries(style).map(([name, value]) => [name, withoutPictures(value)]));
}

const isNothing = ({ source, texts, attributes, removes, adds }: EventData): boolean =>
  source === MUTATION && !texts?.length && !attributes?.length && !removes?.length && !adds?.length;

/** True for what is left of an event when all of it was masked away: it need not be sent. */
export const isEmpty = ({ type, data }: RecordedEvent): boolean => type === INCREMENTAL && isNothing(data);

export function createMasker({ secrets, masking, mirror, maskText, block, onImage }: MaskOptions): Masker {
  const allowed = masking.allow.map((name) => name.toLowerCase());
  const fields = new Set<Element>();
  /** What is told as masked already, texts by their ids and attributes by id and name: a mask for each letter would count the letters. */
  const masked = new Set<string>();
  const isRepeated = (what: string, told: unknown): boolean => {
    const isKnown = masked.has(what);
    if (told === MASK) masked.add(what);
    else masked.delete(what);
    return told === MASK && isKnown;
  };

  const levelOf = (node: Node | null): Level => {
    let level: Level = OPEN;
    for (let at = elementOf(node) ?? (node && hostOf(node)); at; at = hostOf(at)) {
      if (at.closest(block)) return BLOCKED;
      if (isPrivate(at) || (maskText && at.closest(maskText))) level = PRIVATE;
    }
    return level;
  };
  const isAllowed = (field: Element): boolean =>
    field.closest('[data-allow]') !== null || ['name', 'id'].some((name) => allowed.includes(field.getAttribute(name)?.toLowerCase() ?? ''));
  const isOpen = (field: Element): boolean => masking.inputs !== 'all' && isAllowed(field) && !secrets.isSecret(field) && levelOf(field) === OPEN;
  const input = (text: string, field: Element): string => {
    if (text === '' || BUTTONS.test((field as HTMLInputElement).type)) return text;
    return isOpen(field) && !mayBecomeSecret(text) ? secrets.scrub(text) : MASK;
  };

  /** A text without what somebody typed into a field, also where the page mirrors it (`data-value`). */
  const scrub = (text: string): string => {
    let told = secrets.scrub(text);
    for (const field of fields) {
      if (!field.isConnected) {
        fields.delete(field);
        continue;
      }
      const value = (isField(field) ? field.value : field.textContent) ?? '';
      if (value === '' || isOpen(field)) continue;
      if (told === value) return MASK;
      if (value.length >= MIN_ECHO) told = told.split(value).join(MASK);
    }
    return told;
  };
  const blank = (text: string): string => (text.trim() === '' ? text : MASK);
  const textIn = (text: string, parent: string, level: Level): string => {
    if (parent === 'style' || text === '') return text;
    if (level !== OPEN || parent === 'textarea') return blank(text);
    return ECHOES.test(parent) ? scrub(text) : secrets.scrub(text);
  };
  const address = (tag: string, url: string): string => {
    if (/^(data:|blob:|#|about:)/i.test(url)) return url;
    if (/^\s*javascript:/i.test(url)) return '#';
    if (LINKS.test(tag)) return secrets.scrub(url.replace(/[?#].*$/s, ''));
    return url.includes('?') ? url.replace(/[^\s,]+\?[^\s,]*/g, secrets.url) : url;
  };

  /** Undefined: it is not told. */
  const attribute = (name: string, value: unknown, tag: string, type: string, level: Level, field: Element | undefined): unknown => {
    if (NEVER.test(name)) return undefined;
    const isForm = /^(input|textarea|select)$/.test(tag);
    if (isForm && name === 'value' && !BUTTONS.test(type)) {
      if (CHECKED.test(type) && level === OPEN) return scrub(String(value));
      return value === '' ? value : field ? input(String(value), field) : MASK;
    }
    if (level !== OPEN) {
      if (!SHAPE.test(name)) return undefined;
      return name === 'style' ? withoutPictures(value) : value;
    }
    if (typeof value !== 'string' || value === '' || PLAIN.test(name)) return value;
    if (ADDRESSES.test(name)) return address(tag, value);
    // What an element of the page's own takes for its value is a field's, whatever it is called.
    if (name === 'value' && tag.includes('-')) return MASK;
    return scrub(value);
  };
  const mask = (attributes: Attributes, tag: string, type: string, level: Level, field: Element | undefined): void => {
    for (const name of Object.keys(attributes)) {
      // Removed from the page.
      if (attributes[name] === null) continue;
      const told = attribute(name, attributes[name], tag, type, level, field);
      if (told === undefined) Reflect.deleteProperty(attributes, name);
      else attributes[name] = told;
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
      if (element && (level === OPEN || 'data-allow' in attributes) && (MARKS.some((mark) => mark in attributes) || (maskText && element.matches(maskText)))) level = levelOf(element);
      // Of a frame on another site, whose elements are out of reach.
      else if (!element && 'data-private' in attributes) level = PRIVATE;
      mask(attributes, tag, typeof attributes.type === 'string' ? attributes.type.toLowerCase() : '', level, element);
      if (tag === 'img' && level === OPEN) onImage(node);
    }
    for (const child of node.childNodes ?? []) walk(child, tag, level);
  };

  const change = (changed: Changed): boolean => {
    const element = elementOf(mirror.getNode(changed.id));
    const tag = element?.localName ?? '';
    const { attributes } = changed;
    // An input event says it, once; an attribute that a framework keeps in step says it letter by letter.
    if (element && isField(element) && 'value' in attributes && !isOpen(element)) Reflect.deleteProperty(attributes, 'value');
    mask(attributes, tag, element?.getAttribute('type')?.toLowerCase() ?? '', element ? levelOf(element) : OPEN, element ?? undefined);
    for (const name of Object.keys(attributes)) if (isRepeated(`${changed.id} ${name}`, attributes[name])) Reflect.deleteProperty(attributes, name);
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
        return data;
      }
      case SCROLL: {
        // How far a field is scrolled is how much is in it.
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
    input,
    typed: (field) => fields.add(field),
    event(event) {
      if (event.type === META) event.data.href = secrets.url(event.data.href ?? '');
      else if (event.type === INCREMENTAL) event.data = incremental(event.data);
      else if (event.data?.node) walk(event.data.node, '', OPEN);
    },
  };
}
