import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeElement } from '../src/describe-element';
import { isCard, isSecretValue, MASK, mayBecomeSecret, scrubText, watchSecrets } from '../src/mask';

let secrets: ReturnType<typeof watchSecrets>;

const page = (html: string): void => {
  document.body.innerHTML = html;
};
const input = (selector = 'input'): HTMLInputElement => {
  const element = document.querySelector<HTMLInputElement>(selector);
  if (!element) throw new Error(`no ${selector}`);
  return element;
};

beforeEach(() => {
  page('');
  secrets = watchSecrets();
});
afterEach(() => {
  secrets.stop();
});

describe('a field is secret', () => {
  test.each([
    '<input type="password">',
    '<input type="email">',
    '<input type="tel">',
    '<input type="hidden">',
    '<input inputmode="tel">',
    '<input autocomplete="section-blue billing cc-number">',
    '<input autocomplete="one-time-code">',
    '<input autocomplete="New-Password">',
    '<input autocomplete="tel-national">',
    '<input name="cardNumber">',
    '<input name="card_cvc">',
    '<input id="userPin">',
    '<input name="pincode">',
    '<input name="otp">',
    '<input name="smsOtpCode">',
    '<input name="social_security_number">',
    '<input name="ssn">',
    '<input placeholder="Your IBAN">',
    '<input aria-label="API token">',
    '<input aria-label="E-Mail">',
    '<input name="user[phone]">',
    '<label>Passwort<input name="f1"></label>',
    '<label for="f2">Secret answer</label><input id="f2">',
    '<div data-private><p><input name="city"></p></div>',
    '<textarea name="client_secret"></textarea>',
    '<input name="q" value="ada@example.org">',
    '<input name="q" value="Card: 4242 4242 4242 4242">',
  ])('%s', (html) => {
    page(html);
    expect(secrets.isSecret(input('input,textarea'))).toBe(true);
  });

  test('text that the visitor types into an editor', () => {
    page('<div contenteditable="true"><p>x</p></div><div contenteditable="false"><i>y</i></div>');
    expect(secrets.isSecret(input('p'))).toBe(true);
    expect(secrets.isSecret(input('i'))).toBe(false);
  });
});

test.each(['name', 'shipping', 'footprint', 'spinner', 'businessname', 'hotel', 'quantity', 'city', 'note', 'pinned'])('a field named %s is not secret', (name) => {
  page(`<input name="${name}" value="Guimarães 4800">`);
  expect(secrets.isSecret(input())).toBe(false);
});

describe('a field that was secret once stays secret', () => {
  test('when a password is shown, also in the same task and before anything is typed', () => {
    page('<input type="password" name="a1">');
    input().type = 'text';
    expect(secrets.isSecret(input())).toBe(true);
  });

  test('when it was in the page before the tracker', () => {
    page('<input type="password" name="a2">');
    const late = watchSecrets();
    input().type = 'text';
    expect(late.isSecret(input())).toBe(true);
    late.stop();
  });

  test('when a framework replaces it by a text field of the same name', async () => {
    page('<form><input type="password" name="a3"></form>');
    await Promise.resolve();
    page('<form><input type="text" name="a3"></form>');
    expect(secrets.isSecret(input())).toBe(true);
  });

  test('when its autocomplete is removed', () => {
    page('<input name="a4" autocomplete="cc-csc">');
    input().removeAttribute('autocomplete');
    expect(secrets.isSecret(input())).toBe(true);
  });

  test('when its value no longer looks secret', () => {
    page('<input name="a5" value="ada@example.org">');
    expect(secrets.isSecret(input())).toBe(true);
    input().value = 'ada';
    expect(secrets.isSecret(input())).toBe(true);
  });
});

test('card numbers are distinguished from other long numbers by their check digit', () => {
  expect(isCard('4242 4242 4242 4242')).toBe(true);
  expect(isCard('4242424242424241')).toBe(false);
  expect(isCard('424242')).toBe(false);
  expect(isSecretValue('378282246310005')).toBe(true);
  expect(isSecretValue('order 1234567890123456')).toBe(false);
});

test('an unfinished card number or address may become a secret, a quantity may not', () => {
  expect(['4242 42', 'ada@', '+351 912 345'].map(mayBecomeSecret)).toEqual([true, true, true]);
  expect(['12', 'Rua 17', '4800'].map(mayBecomeSecret)).toEqual([false, false, false]);
});

test('addresses and card numbers are masked in text of the page', () => {
  expect(scrubText('Hi ada.finch+x@mail.example.org, card 4242-4242-4242-4242, order 12345')).toBe(`Hi ${MASK}, card ${MASK}, order 12345`);
  expect(scrubText('medium.com/@user and vue@3.4.1')).toBe('medium.com/@user and vue@3.4.1');
});

test('the value of a secret field is masked in any text, also in URL encoding', () => {
  page('<input type="password" name="a6"><input type="hidden" name="csrf" value="abcdef">');
  input().value = 'p&ss wörd';
  secrets.isSecret(input());
  expect(secrets.scrub('wrong: p&ss wörd (?p=p%26ss%20w%C3%B6rd) abcdef')).toBe(`wrong: ${MASK} (?p=${MASK}) abcdef`);
});

describe('the outline of an element', () => {
  const outline = (selector: string): string => describeElement(document.querySelector(selector), secrets).target_element ?? '';

  test('is its outer HTML up to 255 characters', () => {
    page('<div id="big"></div>');
    input('#big').textContent = 'x'.repeat(10_000);
    expect(outline('#big')).toHaveLength(255);
    page('<p id="p">a <b class="c">b</b></p>');
    expect(outline('#p')).toBe('<p id="p">a <b class="c">b</b></p>');
  });

  test('never has a value, typed text, or an attribute that repeats it', () => {
    page(`<label id="l" data-replicated-value="canary">Name <input name="n" value="canary" data-value="canary">
      <textarea>canary</textarea><output>canary</output></label>`);
    expect(outline('#l')).not.toContain('canary');
    expect(outline('#l')).toContain('<input name="n">');
  });

  test('is empty inside private boxes and editors', () => {
    page('<div id="d"><div data-private><p>canary</p></div><div contenteditable="true">canary</div></div>');
    expect(outline('#d')).not.toContain('canary');
    expect(outline('[data-private] p')).toBe('<p></p>');
  });

  test('of a private element is its shape', () => {
    page('<div id="d"><img class="c" data-private alt="canary" src="/canary.jpg" title="canary"><a data-private href="/canary">x</a></div>');
    expect(outline('#d')).toBe('<div id="d"><img class="c"></img><a></a></div>');
    expect(outline('img')).toBe('<img class="c"></img>');
  });

  test('leaves out the query of a link', () => {
    page('<a id="a" href="/reset?token=canary#canary">x</a>');
    expect(outline('#a')).toBe('<a id="a" href="/reset">x</a>');
  });

  test('does not have a password that the page repeats', () => {
    page('<input type="password" name="a7"><p id="p">You typed hunter2-S3cret</p>');
    input().value = 'hunter2-S3cret';
    secrets.isSecret(input());
    expect(outline('#p')).toBe(`<p id="p">You typed ${MASK}</p>`);
  });
});

describe('the page unmasks', () => {
  test.each([
    ['<input name="city">', false],
    ['<input name="city" data-unmask>', true],
    ['<form data-unmask><input name="city"></form>', true],
    ['<form data-private><p data-unmask><input name="city"></p></form>', true],
    ['<form data-unmask><p data-private><input name="city"></p></form>', false],
    ['<form data-unmask><input name="phone"></form>', false],
    ['<input type="email" data-unmask>', false],
    ['<form data-unmask><input type="password"></form>', false],
    ['<form data-unmask><input type="hidden"></form>', false],
    ['<input data-unmask autocomplete="cc-number">', false],
    ['<input data-unmask name="order" value="4242 4242 4242 4242">', false],
    ['<input data-unmask maxlength="1">', false],
    ['<input type="submit">', true],
    ['<input type="checkbox" name="terms">', true],
    ['<input type="file">', true],
    ['<p data-private><input type="checkbox"></p>', false],
  ])('%s: %s', (html, isOpen) => {
    page(html);
    expect(secrets.isMasked(input())).toBe(!isOpen);
  });

  test('an editor, and a part of a private box', () => {
    page('<div data-private><p>a</p><section data-unmask><i>b</i></section></div><div contenteditable data-unmask><b>c</b></div>');
    expect(['p', 'i', 'b'].map((selector) => secrets.isSecret(input(selector)))).toEqual([true, false, false]);
  });

  test('never a field that was a password', () => {
    page('<input data-unmask type="password" name="b1">');
    secrets.isSecret(input());
    input().type = 'text';
    expect(secrets.isSecret(input())).toBe(true);
  });
});

test('a private box is private within its shadow trees, too', () => {
  page('<div data-private><p></p></div>');
  const shadow = input('p').attachShadow({ mode: 'open' });
  shadow.innerHTML = '<b>x</b>';
  const inner = shadow.querySelector('b');
  expect(inner && secrets.isSecret(inner)).toBe(true);
});

describe('the project', () => {
  const none = { inputs: 'secrets' as const, fields: [], parameters: [], allow: [] };

  test('names words of fields, in lower or upper case', () => {
    secrets.apply({ ...none, fields: ['Nick'] });
    page('<input name="user_NICKname"><input class="nick"><input name="city">');
    expect([...document.querySelectorAll('input')].map((field) => secrets.isSecret(field))).toEqual([true, true, false]);
  });

  test('allows fields by name or id, but no password and no card', () => {
    page('<input name="promoCode" placeholder="token"><input id="gift-card"><input type="password" name="gift-card"><input name="promocode" value="4242 4242 4242 4242">');
    const fields = [...document.querySelectorAll('input')];
    expect(fields.map((field) => secrets.isSecret(field))).toEqual([true, true, true, true]);
    secrets.apply({ ...none, allow: ['promocode', 'gift-card'] });
    expect(fields.map((field) => secrets.isSecret(field))).toEqual([false, false, true, true]);
  });

  test('masks all fields, or those that are secret', () => {
    page('<input name="city"><input name="zip" data-unmask><input name="street"><input name="phone">');
    const masked = (): boolean[] => [...document.querySelectorAll('input')].map((field) => secrets.isMasked(field));
    expect(masked()).toEqual([true, false, true, true]);
    secrets.apply({ ...none, inputs: 'all', allow: ['Street'] });
    expect(masked()).toEqual([true, false, false, true]);
    secrets.apply(none);
    expect(masked()).toEqual([false, false, false, true]);
  });

  test('names parameters', () => {
    secrets.apply({ ...none, parameters: ['Ref'], allow: ['code'] });
    expect(secrets.url('https://a.example/p?ref=x&code=1&q=shoes#ref=y')).toBe(`https://a.example/p?ref=${MASK}&code=1&q=shoes#ref=${MASK}`);
  });
});

test('in a URL the values of secret parameters are masked, and addresses in its path', () => {
  expect(secrets.url('https://a.example/u/ada@example.org?access_token=t&q=a&sessionId=5#id_token=j')).toBe(
    `https://a.example/u/${MASK}?access_token=${MASK}&q=a&sessionId=${MASK}#id_token=${MASK}`,
  );
});

test('the value of a field is not masked in the host of a URL', () => {
  page('<input type="password">');
  input().value = 'example';
  expect(secrets.url('https://a.example/?q=example')).toBe(`https://a.example/?q=${MASK}`);
});

/** The server's tests read the same file: `tests/unit/test_masking_words.py`. */
const CASES = JSON.parse(readFileSync('../tests/unit/masking_cases.json', 'utf8')) as {
  texts: [string, string][];
  urls: [string, string][];
  fields: [Record<string, string>, boolean][];
  values: [string, boolean][];
};

describe('the tag masks what the server masks', () => {
  test.each(CASES.texts)('text %s', (text, masked) => {
    expect(scrubText(text)).toBe(masked);
  });

  test.each(CASES.urls)('URL %s', (url, masked) => {
    expect(secrets.url(url)).toBe(masked);
  });

  test.each(CASES.fields)('field %o: %s', (attributes, isSecret) => {
    const field = document.createElement('input');
    for (const [name, value] of Object.entries(attributes)) field.setAttribute(name, value);
    document.body.replaceChildren(field);
    expect(secrets.isSecret(field)).toBe(isSecret);
  });

  test.each(CASES.values)('value %s: %s', (value, isSecret) => {
    expect(isSecretValue(value)).toBe(isSecret);
  });
});

/** The server's tests read the same files: `tests/unit/test_masking_corpora.py`. */
const MASKED = JSON.parse(readFileSync('../tests/masking/masked.json', 'utf8')) as {
  parameters: string[];
  texts: [string, string, { tag: boolean }?][];
};
const KEPT = JSON.parse(readFileSync('../tests/masking/kept.json', 'utf8')) as string[];

describe('the corpora of the server', () => {
  test.each(MASKED.parameters)('masks the parameter %s', (name) => {
    expect(secrets.url(`/a?${name}=canary&page=2`)).toBe(`/a?${name}=${MASK}&page=2`);
  });

  test.each(MASKED.texts.filter(([, , where]) => where?.tag !== false))('masks in %s', (text, masked) => {
    expect(secrets.scrub(text)).toBe(masked);
  });

  test('keep what is no secret', () => {
    expect(KEPT.map((text) => secrets.scrub(text))).toEqual(KEPT);
    expect(KEPT.map((text) => secrets.url(text))).toEqual(KEPT);
  });
});
