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
 * Names of secrets, after `normal`: those that make a field secret wherever they stand in its attributes and labels, and
 * last words of a URL parameter's name that make it secret, too. They are rows of the server's `masking/words.py`. A test
 * of the server compares both, and values and paths with `masking/values.py`.
 */
const SECRET_WORDS =
  /[a-z]*pass(?:words?|wort|wd|code|phrase)|\bpass\b|[a-z]*pwd|\bpw\b|kennwort|contrase[^ ]{1,2}a|senha|mot.?de.?passe|wachtwoord|secret|token|card|cv[cv]2?|\bcsc\b|(?:i|ı)ban|\bssn|social.?security(?:.?number)?|pin(?:code|number|[^a-z]|$)|otp(?:code|[^a-z]|$)|e.?mail(?:.?address)?|(?:tele)?phone(?: ?(?:number|no))?|mobile|\btel\b/;
const SECRET_PARAMETER =
  /(?:^| )(?:[a-z]*secrets?(?:.?(?:answer|key))?|[a-z]*tokens?(?: ?id)?|[cx]srf|jwt|auth|author(?:i|ı)zation|(?:set.)?cookies?|credentials?|(?:oauth|code) ?verifier|(?:api|access|private|secret|client|encryption|signing).?key|(?:credit|debit|bank|payment) ?card|(?:card|cc)[ _-]?(?:number|no|nr|num)|cc ?(?:exp|csc)?|pin(?: ?(?:code|number))?|otp(?: ?code)?|mobile ?(?:number|phone)|code|key|(?:j|php)?sess(?:ion)?(?: ?id)?|sid|sig(?:nature)?|nonce|ticket|login|user ?name|mail|assertion|saml(?:request|response))(?: ?\d+)?(?: ?(?:confirm(?:ation|ed)?|repeat(?:ed)?|again|retyped?|new|old|current))?(?: ?\d+)?$/;
const WORDED = ['type', 'autocomplete', 'inputmode', 'name', 'id', 'placeholder', 'aria-label'];
const PARAMETER = /(^|[?&#;])([^=&?#;\s"'<>/]{1,100})=([^=&#\s"'<>\\][^&#\s"'<>\\]*)/g;
const USER = /:\/\/[^/\s"'<>?#]{1,200}@/g;
const PATH = /\/[\w.~-]{0,30}(?:reset|verif(?:y|ication)|magic|confirm|activat(?:e|ion)|invit(?:e|ation)|recover(?:y)?|unlock|unsubscribe|one-time|token|otp|set-?password|password|forgot)[\w.~-]{0,30}\/[^\s"'<>?#&=\\]+/gi;
const MAIL_VALUE = /[^\s@]+@[^\s@]+\.[^\s@]/;
/** Endings of files, none of which is a top-level domain: `logo@2x.5d5d9eef.png` is no address. */
const FILES = /\.(avif|bmp|cjs|css|eot|gif|gz|htm|html|ico|jpeg|jpg|js|json|jsx|map|mjs|mp3|mp4|php|png|svg|ts|tsx|ttf|txt|vue|wasm|webm|webp|woff|woff2|xml)$/i;
/** Twelve digits or more that may be a card's. */
const DIGITS = /\d(?:[ -]?\d){12,18}/g;
/** Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay and Maestro. */
const ISSUED =
  /^(?:4(?:\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17}|(?:50|5[678]|6[37])\d{14})$/;
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

type Secret = (text: string, before: string, after: string) => number;

/** True for a match that is no part of a longer word, such as a hash. */
const isBounded: Secret = (text, before, after) => (/[a-z\d]$/i.test(before) && !/%..$/.test(before)) || /^\w/.test(after) ? 0 : text.length;

/** Values that are secrets wherever they stand: a pattern, and how many characters of a match are the secret. */
const VALUES: [RegExp, Secret][] = [
  [/[\w.+-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.)+[a-z]{2,24}/gi, (text) => (FILES.test(text) ? 0 : text.length)],
  [
    /(\d{4})[ .-]\d{4}[ .-]\d{4}[ .-]\d{1,4}(?:[ .-]\d{1,3})?|(\d{4})[ .-]\d{6}[ .-]\d{4,5}|(\d{8})[ .-]\d{8}|\d{14,}/g,
    (text, before, after) => {
      if (!isBounded(text, before, after) || (!/\D/.test(text) && (/\d\.$/.test(before) || /^\.\d/.test(after)))) return 0;
      return [text, text.replace(/.\d+$/, '')].find((digits) => !/[ -].*\.|\..*[ -]| .*-|-.* /.test(digits) && ISSUED.test(digits.replace(/\D/g, '')) && isCard(digits))?.length ?? 0;
    },
  ],
  [
    /[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?/g,
    (text, before, after) =>
      [text, text.replace(/ \w+$/, '')].find((account) => {
        const bare = account.replace(/ /g, '');
        let rest = 0;
        for (const letter of bare.slice(4) + bare.slice(0, 4)) rest = Number(`${rest}${parseInt(letter, 36)}`) % 97;
        return rest === 1 && bare.length > 14 && isBounded(account, before, account === text ? after : '');
      })?.length ?? 0,
  ],
  [/eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g, isBounded],
  [/(?:[rs]k_(?:live|test)|whsec)_\w{10,}|gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[a-z]-[\w-]{10,}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{35}|sk-(?:proj-|ant-)[\w-]{20,}|npm_\w{36}|SG\.[\w-]{16,}\.[\w-]{16,}/g, isBounded],
  [/(?:Bearer|Basic)\s{1,8}[\w.~+/-]{6,}=*/gi, (text) => (text.length > 26 || /[^a-z\s]/i.test(text) ? text.length : 0)],
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(?:-----END[^\n-]*-----|$)/g, (text) => text.length],
];

/** Replaces what a pattern finds. Of the groups of a card that is none, the next may begin one. */
function replaceAll(text: string, pattern: RegExp, secret: Secret): string {
  let result = '';
  let copied = 0;
  pattern.lastIndex = 0;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const [all, ...groups] = found;
    const end = found.index + all.length;
    const length = secret(all, text.slice(Math.max(0, found.index - 3), found.index), text.slice(end, end + 2));
    if (length) {
      result += text.slice(copied, found.index) + MASK;
      copied = pattern.lastIndex = found.index + length;
    } else pattern.lastIndex = found.index + (groups.find(Boolean) ?? all).length;
  }
  return result + text.slice(copied);
}

/** True for a part of a path that nobody would read out. */
function isRandom(part: string): boolean {
  if (/^\d{6,}$/.test(part)) return true;
  if (part.length < 8 || FILES.test(part)) return false;
  if (!/\d/.test(part)) return part.length > 19 && (part.match(/[a-z][A-Z]/g) ?? []).length > 2;
  return /[^\d-]/.test(part) && !/^[a-z]?[a-z]*([-_.][a-z]+)*[-_.]?\d{0,2}$/i.test(part);
}

const hasCard = (value: string): boolean => (value.match(DIGITS) ?? []).some(isCard);

export const isSecretValue = (value: string): boolean => MAIL_VALUE.test(value) || hasCard(value);

/** True for a value that may become a secret while it is still being typed. */
export function mayBecomeSecret(value: string): boolean {
  return value.includes('@') || SIX_DIGITS.test(value);
}

/** Masks addresses, card numbers, keys and the like in text of the page. */
export function scrubText(text: string): string {
  text = text.replace(USER, `://${MASK}@`);
  for (const [pattern, secret] of VALUES) text = replaceAll(text, pattern, secret);
  return text.replace(PATH, (path) =>
    path
      .split('/')
      .map((part, at) => (at > 1 && at < 5 && isRandom(part) ? MASK : part))
      .join('/'),
  );
}

/** True inside `[data-private]`, and inside an editor, whose text the visitor types. A `[data-unmask]` within opens its content again. */
export function isPrivate(element: Element): boolean {
  const box = element.closest('[data-private],[data-unmask],[contenteditable]:not([contenteditable="false" i])');
  if (box) return !box.hasAttribute('data-unmask') || box.hasAttribute('data-private');
  // A shadow tree is as private as its host.
  const { host } = element.getRootNode() as ShadowRoot;
  return host !== undefined && isPrivate(host);
}

const normal = (text: string | null | undefined): string => unescape(text ?? '')
    .slice(0, 1000)
    .normalize('NFKC')
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .toLowerCase();

/** Decodes an address within addresses. */
function unescape(text: string): string {
  try {
    for (let i = 0; i < 3; i++) text = decodeURIComponent(text);
  } catch {
    // A percent sign that begins no escape.
  }
  return text;
}

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
