import type { Secrets, Teardown } from './types';
import { guard } from './guard';

/** What stands in place of a secret: always eight, so that its length is not told either. */
export const MASK = '********';

const FIELDS = 'input,textarea,select';
const SECRET_TYPES = /^(password|email|tel|hidden)$/;
const SECRET_AUTOCOMPLETE = /(^|\s)(cc-\S+|one-time-code|current-password|new-password|email|tel(-\S+)?)(\s|$)/;
/**
 * Words in a field's name, id, placeholder or label. Matched after camelCase was parted and all was lowered. A field
 * masked for nothing costs little, so these are wide; but `pin` must not catch "shipping", nor `otp` "footprint".
 */
const SECRET_WORDS =
  /passw|passcode|passphrase|\bpass\b|pwd|kennwort|contrase|senha|mot.?de.?passe|secret|token|card|cvc|cvv|\bcsc\b|iban|\bssn|social.?security|pin(code|number|[^a-z]|$)|e-?mail|phone|mobile|\btel\b|otp(code|[^a-z]|$)/;
const MAIL_VALUE = /[^\s@]+@[^\s@]+\.[^\s@]/;
const MAIL_TEXT = /[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}/gi;
const DIGITS = /\d(?:[ -]?\d){12,18}/g;
/** Six digits may be the first half of a card or a phone number that is still being typed. */
const SIX_DIGITS = /(\d[ ()./-]*){6}/;
/** Shorter secrets (a CVC) would match by chance in text that has nothing to do with them. */
const MIN_SCRUB = 4;

export type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** By name, not `instanceof`: an element of another frame has other classes. */
export const isField = (element: Element): element is Field => /^(input|textarea|select)$/.test(element.localName);

/** The check digit that all payment cards have. */
export function isCard(digits: string): boolean {
  const bare = digits.replace(/\D/g, '');
  if (bare.length < 13 || bare.length > 19) return false;
  let sum = 0;
  for (let i = 0; i < bare.length; i++) {
    let digit = Number(bare[bare.length - 1 - i]);
    if (i % 2) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}

export function isSecretValue(value: string): boolean {
  return MAIL_VALUE.test(value) || (value.match(DIGITS) ?? []).some(isCard);
}

/** While somebody is still typing, what could become a secret is one. */
export function mayBecomeSecret(value: string): boolean {
  return value.includes('@') || SIX_DIGITS.test(value);
}

/** Text of the page itself, with the addresses and card numbers in it masked. */
export function scrubText(text: string): string {
  return text.replace(MAIL_TEXT, MASK).replace(DIGITS, (digits) => (isCard(digits) ? MASK : digits));
}

/** Inside `[data-private]` nothing is told; nor of text that the visitor writes into the page itself. */
export function isPrivate(element: Element): boolean {
  return element.closest('[data-private],[contenteditable]:not([contenteditable="false" i])') !== null;
}

const normal = (text: string | null | undefined): string => (text ?? '').replace(/([a-z])([A-Z])/g, '$1 $2').replace(/_/g, ' ').toLowerCase();

function looksSecret(field: Field): boolean {
  if (SECRET_TYPES.test(field.type)) return true;
  if (SECRET_AUTOCOMPLETE.test(normal(field.getAttribute('autocomplete')))) return true;
  if (/^(tel|email)$/.test(field.inputMode)) return true;
  const words = ['name', 'id', 'placeholder', 'aria-label'].map((name) => field.getAttribute(name));
  // The first 100 characters: a label that wraps a whole paragraph must not decide by its small print.
  for (const label of field.labels ?? []) words.push((label.textContent ?? '').slice(0, 100));
  if (words.some((text) => SECRET_WORDS.test(normal(text)))) return true;
  // Dots drawn by CSS over an ordinary text field.
  const disguise = getComputedStyle(field).getPropertyValue('-webkit-text-security');
  return disguise !== '' && disguise !== 'none';
}

/**
 * Remembers every field that was secret once. A password field that a "show" button turns into text stays masked, and
 * so does the field of the same name or id that a framework puts in its place.
 */
export function watchSecrets(root: Document = document): Secrets & { stop: Teardown } {
  const marked = new WeakSet<Element>();
  /** The marked ones that still stand in the page, to know what must not be told now. */
  const live = new Set<Field>();
  const names = new Set<string>();
  const namesOf = (field: Field): string[] => [field.name && `name ${field.name}`, field.id && `id ${field.id}`].filter(Boolean);

  const mark = (field: Field): void => {
    if (marked.has(field)) return;
    marked.add(field);
    live.add(field);
    // Hidden fields are plumbing: their names say nothing about a visible field that bears the same one.
    if (field.type !== 'hidden') for (const name of namesOf(field)) names.add(name);
  };
  const check = (field: Field): boolean => {
    if (marked.has(field)) return true;
    if (!looksSecret(field) && !isSecretValue(field.value) && !namesOf(field).some((name) => names.has(name))) return false;
    mark(field);
    return true;
  };
  const checkAll = (within: ParentNode): void => {
    within.querySelectorAll<Field>(FIELDS).forEach(check);
  };
  const read = (records: MutationRecord[]): void => {
    for (const { type, target, attributeName, oldValue, addedNodes } of records) {
      if (type === 'attributes') {
        if (!isField(target as Element)) continue;
        const was = normal(oldValue);
        const wasSecret = attributeName === 'type' ? SECRET_TYPES.test(was) : SECRET_WORDS.test(was) || SECRET_AUTOCOMPLETE.test(was);
        if (wasSecret) mark(target as Field);
        else check(target as Field);
      } else {
        for (const node of addedNodes) {
          if (node.nodeType !== Node.ELEMENT_NODE) continue;
          if (isField(node as Element)) check(node as Field);
          else if ((node as Element).firstElementChild) checkAll(node as Element);
        }
      }
    }
  };

  checkAll(root);
  const observer = new MutationObserver(guard(read));
  observer.observe(root, {
    subtree: true,
    childList: true,
    attributeOldValue: true,
    attributeFilter: ['type', 'autocomplete', 'name', 'id', 'placeholder', 'aria-label', 'inputmode'],
  });

  return {
    isSecret(element) {
      // What changed in this very task has not been reported yet.
      read(observer.takeRecords());
      // Fields of a frame or a shadow tree are not watched, so nobody can say what they were a moment ago.
      if (isField(element)) return check(element) || isPrivate(element) || element.getRootNode() !== root;
      return isPrivate(element);
    },
    scrub(text) {
      for (const field of live) {
        if (!field.isConnected) {
          live.delete(field);
          continue;
        }
        const value = field.value;
        if (value.length < MIN_SCRUB || field.type === 'hidden') continue;
        text = text.split(value).join(MASK).split(encodeURIComponent(value)).join(MASK);
      }
      return text;
    },
    stop() {
      observer.disconnect();
    },
  };
}
