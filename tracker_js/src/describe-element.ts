import type { EventFields } from './event';
import { isField, isPrivate, scrubText, type Secrets } from './mask';
import { selectorOf } from './selector';

/** Width of the server's `target_element`. */
const MAX_OUTLINE = 255;
/** What an element is, never what it holds: `value`, and `data-*` that mirror what was typed, are not among them. */
const ATTRIBUTES = ['id', 'class', 'name', 'type', 'role', 'href', 'src', 'for', 'title', 'alt', 'aria-label', 'data-testid'];
/** Of what is private: what it is and where, as in recordings. */
const SHAPE = ['id', 'class', 'type', 'role'];
const WITHOUT_TEXT = /^(script|style|textarea|output|select|noscript|template)$/;

function attributes(element: Element): string {
  let text = '';
  for (const name of isPrivate(element) ? SHAPE : ATTRIBUTES) {
    let value = element.getAttribute(name);
    if (value === null) continue;
    // A link's query often carries a token.
    if (name === 'href' || name === 'src') value = value.startsWith('data:') ? 'data:' : value.replace(/[?#].*$/s, '');
    text += ` ${name}="${scrubText(value).replace(/"/g, '&quot;')}"`;
  }
  return text;
}

/** The outer HTML as far as 255 characters go. Written by hand: `outerHTML` of a body is megabytes, and tells what was typed. */
export function outline(element: Element, secrets: Secrets, room = MAX_OUTLINE): string {
  const tag = element.localName;
  let text = `<${tag}${attributes(element)}>`;
  if (isField(element)) return text.slice(0, room);
  if (!WITHOUT_TEXT.test(tag) && !secrets.isSecret(element)) {
    for (const child of element.childNodes) {
      if (text.length >= room) break;
      if (child.nodeType === Node.TEXT_NODE) text += scrubText((child.nodeValue ?? '').slice(0, 4 * room).replace(/\s+/g, ' '));
      else if (child.nodeType === Node.ELEMENT_NODE) text += outline(child as Element, secrets, room - text.length);
    }
  }
  return `${text}</${tag}>`.slice(0, room);
}

/** The `target_*` of an event. */
export function describe(target: EventTarget | null, secrets: Secrets): EventFields {
  // A click on the text of a page can have the document as its target.
  if (!target || (target as Node).nodeType !== Node.ELEMENT_NODE) return {};
  const element = target as Element;
  // What is undefined is left out of the JSON.
  return {
    target_tag: element.localName,
    target_element: secrets.scrub(outline(element, secrets)),
    target_selector: selectorOf(element),
    target_id: element.getAttribute('id')?.slice(0, 255),
    target_class: element.getAttribute('class')?.slice(0, 255),
  };
}
