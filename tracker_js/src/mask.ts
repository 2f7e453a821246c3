import type { Masking } from './config';
import { guard, type Teardown } from './guard';

/** Which elements are secret, and how texts are masked. */
export interface Secrets {
  /** True for a field whose value is a secret, and for anything inside `[data-private]` or an editor. */
  isSecret: (element: Element) => boolean;
  /** True for a field whose value the page (`data-unmask`) or the project wants to be stored, and which is no secret. */
  isUnmasked: (field: Element) => boolean;
  /** True for a field whose value is not sent: a secret, or by default any typed one that is not unmasked. */
  isMasked: (field: Element) => boolean;
  /** Masks e-mail addresses, card numbers, values of secret parameters, and values that stand in a secret field now. */
  scrub: (text: string) => string;
  /** Masks a URL in the same way. Values of secret fields are masked in its query and fragment only. */
  url: (url: string) => string;
}

/** Replaces a secret. Always eight characters, so that the length is not revealed. */
export const MASK = '********';

const FIELDS = 'input,textarea,select';
/** Types of fields whose value the page has chosen; of files only the number is sent. */
const CHOSEN = /^(submit|button|reset|image|checkbox|radio|file)$/;
/** Attributes whose fields nothing can open. */
const STRICT = /^(password|hidden)$|(^| )(cc \S+|one time code|(current|new) password)( |$)/;
/**
 * Words in a field's attributes and labels, and in a URL parameter's name, that make it secret: `FIELD_WORDS` of the
 * server's `masking/words.py`. A test of the server compares both. They are matched after `normal`.
 */
const SECRET_WORDS =
  /pass(w|code|phrase)|\bpass\b|pwd|kennwort|contrase|senha|mot.?de.?passe|secret|token|card|cvc|cvv|\bcsc\b|iban|\bssn|social.?security|pin(code|number|[^a-z]|$)|e.?mail|phone|mobile|\btel\b|otp(code|[^a-z]|$)/;
const WORDED = ['type', 'autocomplete', 'inputmode', 'name', 'id', 'placeholder', 'aria-label'];
/** Last words in a URL parameter's name that make it secret, too: `PARAMETER_NAMES` of the same table. */
const SECRET_PARAMETER =
  /(^| )(code|key|auth(orization)?|(j|php)?sess(ion)?( ?id)?|sid|sig(nature)?|nonce|ticket|login|user ?name|mail|jwt|cookies?|credentials?|assertion|saml(request|response)|cc ?(number|num|exp|csc)?)$/;
const PARAMETER = /(^|[?&#;])([^=&?#;\s"'<>/]{1,100})=[^&#\s"'<>\\]+/g;
const MAIL_VALUE = /[^\s@]+@[^\s@]+\.[^\s@]/;
/** Not a picture for two pixels: `logo@2x.png`. */
const MAIL_TEXT = /[\w.+-]+@(?!\dx\.)[\w-]+(\.[\w-]+)*\.[a-z]{2,}/gi;
const DIGITS = /\d(?:[ -]?\d){12,18}/g;
/** Groups of digits as they are printed on cards, the longest first. */
const CARDS = [/(\d{4}[ -]){4}\d{3}/g, /(\d{4}[ -]){3}\d{1,4}/g, /\d{4}[ -]\d{6}[ -]\d{4,5}/g, /\d{8}[ -]?\d{5,11}/g];
/** First digits of Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay and Maestro. */
const ISSUED = /^(4|5[0-8]|2[2-7]|3[04-9]|6[02-7])/;
/** Six digits may be the first half of a card or phone number that is still being typed. */
const SIX_DIGITS = /(\d[ ()./-]*){6}/;
/** Shorter secrets (a CVC) would match unrelated text by chance. */
const MIN_SCRUB = 4;
/** Half of a surrogate pair, left by a page that cuts texts: `encodeURIComponent` throws on it. */
const LONE = /[\ud800-\udfff]/gu;

export type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** By name, not `instanceof`: elements of a frame have other classes. */
export const isField = (element: Element): element is Field => /^(input|textarea|select)$/.test(element.localName);

/** Luhn's check digit, which all payment cards have. */
export function isCard(digits: string): boolean {
  const bare = digits.replace(/\D/g, '');
  let sum = 0;
  for (let i = 1; i <= bare.length; i++) {
    const digit = +bare.charAt(bare.length - i);
    sum += i % 2 ? digit : +'0246813579'.charAt(digit);
  }
  return bare.length > 12 && bare.length < 20 && sum % 10 === 0;
}

const hasCard = (value: string): boolean => (value.match(DIGITS) ?? []).some(isCard);

export const isSecretValue = (value: string): boolean => MAIL_VALUE.test(value) || hasCard(value);

/** True for a value that may become a secret while it is still being typed. */
export function mayBecomeSecret(value: string): boolean {
  return value.includes('@') || SIX_DIGITS.test(value);
}

/** Masks e-mail addresses and card numbers in text of the page. */
export function scrubText(text: string): string {
  text = text.replace(MAIL_TEXT, MASK);
  for (const card of CARDS) text = text.replace(card, (digits) => (ISSUED.test(digits) && isCard(digits) ? MASK : digits));
  return text;
}

/** True inside `[data-private]`, and inside an editor, whose text the visitor types. A `[data-unmask]` within opens its content again. */
export function isPrivate(element: Element): boolean {
  const box = element.closest('[data-private],[data-unmask],[contenteditable]:not([contenteditable="false" i])');
  if (box) return !box.hasAttribute('data-unmask') || box.hasAttribute('data-private');
  // A shadow tree is as private as its host.
  const { host } = element.getRootNode() as ShadowRoot;
  return host !== undefined && isPrivate(host);
}

const normal = (text: string | null | undefined): string => (text ?? '')
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/[-_.[\]$:]/g, ' ')
    .trim()
    .toLowerCase();

const looksStrict = (field: Field): boolean => [field.type, normal(field.getAttribute('autocomplete'))].some((text) => STRICT.test(text));

function looksSecret(field: Field): boolean {
  const words = WORDED.map((name) => field.getAttribute(name));
  // Only the first 100 characters: the small print of a label that wraps a paragraph must not decide.
  for (const label of field.labels ?? []) words.push((label.textContent ?? '').slice(0, 100));
  if (words.some((text) => SECRET_WORDS.test(normal(text)))) return true;
  // One of the boxes for the single characters of a code.
  if ((field as HTMLInputElement).maxLength === 1) return true;
  // Dots that CSS draws over an ordinary text field.
  const disguise = getComputedStyle(field).getPropertyValue('-webkit-text-security');
  return disguise !== '' && disguise !== 'none';
}

/**
 * Remembers every field that was secret once. A password field that a "show" button turns into text stays masked, and
 * so does the field of the same name or id that a framework puts in its place. `apply` adds the rules of a project.
 */
export function watchSecrets(root: Document = document): Secrets & { apply: (masking: Masking) => void; stop: Teardown } {
  /** True for fields that nothing can open. */
  const marked = new WeakMap<Element, boolean>();
  /** The marked fields that are still in the page, whose values are masked in texts. */
  const live = new Set<Field>();
  const names = new Map<string, boolean>();
  let allInputs = true;
  let ownWords: string[] = [];
  let ownParameters: string[] = [];
  let allowed: string[] = [];
  const namesOf = (field: Field): string[] => [field.name && `name ${field.name}`, field.id && `id ${field.id}`].filter(Boolean);

  const mark = (field: Field, strict: boolean): void => {
    strict ||= marked.get(field) === true;
    marked.set(field, strict);
    live.add(field);
    // Hidden fields are internal: their names do not make a visible field of the same name secret.
    if (field.type !== 'hidden') for (const name of namesOf(field)) names.set(name, strict || names.get(name) === true);
  };
  const isOwn = ({ name, id, className }: Field): boolean => ownWords.some((word) => `${name} ${id} ${className}`.toLowerCase().includes(word));
  const isAllowed = (field: Element): boolean => ['name', 'id'].some((name) => allowed.includes(field.getAttribute(name)?.toLowerCase() ?? ''));
  const check = (field: Field): boolean => {
    const known = namesOf(field).find((name) => names.has(name));
    if (looksStrict(field)) mark(field, true);
    else if (!marked.has(field)) {
      if (known !== undefined) mark(field, names.get(known) === true);
      else if (looksSecret(field) || isOwn(field) || isSecretValue(field.value)) mark(field, false);
    }
    const strict = marked.get(field);
    return strict === true || (strict === false && (!isAllowed(field) || hasCard(field.value)));
  };
  const checkAll = (within: ParentNode): void => {
    within.querySelectorAll<Field>(FIELDS).forEach(check);
  };
  const read = (records: MutationRecord[]): void => {
    for (const { type, target, attributeName, oldValue, addedNodes } of records) {
      if (type === 'attributes') {
        if (!isField(target as Element)) continue;
        const was = normal(oldValue);
        const strict = /^(type|autocomplete)$/.test(attributeName ?? '') && STRICT.test(was);
        if (strict || SECRET_WORDS.test(was)) mark(target as Field, strict);
        check(target as Field);
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
  const observer = typeof MutationObserver === 'function' ? new MutationObserver(guard(read)) : undefined;
  observer?.observe(root, {
    subtree: true,
    childList: true,
    attributeOldValue: true,
    attributeFilter: WORDED,
  });

  const scrubParameters = (text: string): string =>
    text.replace(PARAMETER, (all: string, before: string, name: string) => {
      const small = name.toLowerCase();
      const words = normal(name);
      const secret = ownParameters.includes(small) || SECRET_WORDS.test(words) || SECRET_PARAMETER.test(words);
      return secret && !allowed.includes(small) ? `${before}${name}=${MASK}` : all;
    });
  /** Reads the changes of the current task, which the observer has not reported yet. */
  const catchUp = (): void => {
    if (observer) read(observer.takeRecords());
    else checkAll(root);
  };
  const scrub = (text: string): string => {
    catchUp();
    text = scrubText(scrubParameters(text));
    for (const field of live) {
      if (!field.isConnected) {
        live.delete(field);
        continue;
      }
      const value = field.value;
      if (value.length < MIN_SCRUB || field.type === 'hidden' || !check(field)) continue;
      text = text.split(value).join(MASK).split(encodeURIComponent(value.replace(LONE, ''))).join(MASK);
    }
    return text;
  };

  const isSecret = (element: Element): boolean => {
    catchUp();
    // Fields of a frame or a shadow tree are not observed: whether they were secret before is unknown.
    if (isField(element)) return check(element) || isPrivate(element) || element.getRootNode() !== root;
    return isPrivate(element);
  };
  const isUnmasked = (field: Element): boolean => (isAllowed(field) || field.closest('[data-unmask]') !== null) && !isSecret(field);

  return {
    isSecret,
    isUnmasked,
    isMasked: (field) => (allInputs && !CHOSEN.test((field as Field).type) ? !isUnmasked(field) : isSecret(field)),
    scrub,
    url(url) {
      const at = url.search(/[?#]/);
      return at < 0 ? scrubText(url) : scrubText(url.slice(0, at)) + scrub(url.slice(at));
    },
    apply({ inputs, fields, parameters, allow }) {
      allInputs = inputs !== 'secrets';
      [ownWords, ownParameters, allowed] = [fields, parameters, allow].map((words) => words.map((word) => word.toLowerCase())) as [string[], string[], string[]];
      checkAll(root);
    },
    stop() {
      observer?.disconnect();
    },
  };
}
