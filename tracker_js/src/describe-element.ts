import type { EventFields } from './event';
import { isField, isPrivate, scrubText, type Secrets } from './mask';
import { selectorOf } from './selector';

/** Width of the server's column `target_element`. */
const MAX_OUTLINE = 255;
/** Attributes that say what an element is, never what it contains: not `value`, nor `data-*` that mirror typed values. */
const ATTRIBUTES = ['id', 'class', 'name', 'type', 'role', 'href', 'src', 'for', 'title', 'alt', 'aria-label', 'data-testid'];
/** Attributes of private elements: what they are and where, as in recordings. */
const PRIVATE_ATTRIBUTES = ['id', 'class', 'type', 'role'];
const WITHOUT_TEXT = /^(script|style|textarea|output|select|noscript|template)$/;

function attributes(element: Element): string {
  let text = '';
  for (const name of isPrivate(element) ? PRIVATE_ATTRIBUTES : ATTRIBUTES) {
    let value = element.getAttribute(name);
    if (value === null) continue;
    // The query of a link often has a token.
    if (name === 'href' || name === 'src') value = value.startsWith('data:') ? 'data:' : value.replace(/[?#].*$/s, '');
    text += ` ${name}="${scrubText(value).replace(/"/g, '&quot;')}"`;
  }
  return text;
}

/** Returns the outer HTML up to 255 characters. `outerHTML` of a body has megabytes and contains typed values. */
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

/** Returns the `target_*` fields of an event. */
export function describeElement(target: EventTarget | null, secrets: Secrets): EventFields {
  // A click on the text of a page can have the document as its target.
  if (!target || (target as Node).nodeType !== Node.ELEMENT_NODE) return {};
  const element = target as Element;
  // JSON leaves out undefined fields.
  return {
    target_tag: element.localName,
    target_element: secrets.scrub(outline(element, secrets)),
    target_selector: selectorOf(element),
    target_id: element.getAttribute('id')?.slice(0, 255),
    target_class: element.getAttribute('class')?.slice(0, 255),
  };
}
